"""Log lines: one JSON object each, alike in every service and for the libraries below it.

Every line has `timestamp` (RFC 3339, UTC), `level`, `event`, `service`, `version` and `colour`, and
what is bound to its context: `request_id`, `trace_id`, `span_id`, `camera_id`, `frame_id`.
"""

from __future__ import annotations

import logging
import sys
from typing import Any, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}


def configure(
    *,
    service: str,
    version: str,
    colour: str,
    level: str = "info",
    stream: TextIO | None = None,
) -> None:
    """Send structlog's and the standard library's log lines to `stream` (stdout) as JSON."""
    chosen = LEVELS[level]
    stream = sys.stdout if stream is None else stream
    shared = _processors(service=service, version=version, colour=colour)
    structlog.configure(
        processors=[*shared, _json],
        wrapper_class=structlog.make_filtering_bound_logger(chosen),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[_module, *shared],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _json],
        )
    )
    logging.captureWarnings(True)
    root = logging.getLogger()
    for stale in root.handlers[:]:
        root.removeHandler(stale)
    root.addHandler(handler)
    # Libraries speak up when something is wrong; their chatter at info is not an operator's.
    root.setLevel(max(chosen, logging.WARNING))


def bind(**values: str | float) -> None:
    """Put these values on every further line of this request."""
    structlog.contextvars.bind_contextvars(**values)


def get(name: str) -> Any:
    """A logger whose lines carry `module=name`."""
    return structlog.get_logger(module=name)


def _processors(*, service: str, version: str, colour: str) -> list[Processor]:
    def mark(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
        line["service"] = service
        line["version"] = version
        line["colour"] = colour
        return line

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        mark,
        structlog.processors.format_exc_info,
    ]


def _module(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """The standard library's name of the logger, under our name for it."""
    line["module"] = line["_record"].name
    return line


_FIRST = ("timestamp", "level", "event", "service", "version", "colour")


def _json(_logger: WrappedLogger, _method: str, line: EventDict) -> str:
    ordered = {name: line[name] for name in _FIRST if name in line} | dict(line)
    # msgspec writes NaN as null, so that a line is JSON whatever was logged.
    try:
        return msgspec.json.encode(ordered, enc_hook=repr).decode()
    except (TypeError, ValueError, UnicodeEncodeError):
        # Odd keys, huge integers, lone surrogates: the line matters more than its types.
        plain = {_plain(str(key)): _plain(value) for key, value in ordered.items()}
        return msgspec.json.encode(plain).decode()


def _plain(value: object) -> str:
    text = value if isinstance(value, str) else repr(value)
    return text.encode("ascii", "backslashreplace").decode("ascii")
