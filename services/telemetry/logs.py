"""Log lines: one JSON object each, alike in every service and for the libraries below it.

Every line has `time` (RFC 3339, UTC), `level`, `event`, `service`, `version` and `colour`, and what
is bound to its context: `request_id`, `trace_id`, `span_id`, `camera_id`, `frame_id`. Whoever wrote
it, it passes `redaction` last, as the text that it has become.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from types import TracebackType
from typing import Any, TextIO

import msgspec
import structlog
from prometheus_client import Counter
from structlog.typing import EventDict, Processor, WrappedLogger

from telemetry.redaction import SECRETS
from telemetry.sampling import Sampler

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}

SAMPLE_RATE = 100.0
"""Lines a second of one event and route, beyond which only some are written."""

SAMPLE_EVERY = 100
"""Of those, 1 in so many."""

LINES = Counter(
    "sightline_log_lines_total", "Log lines that were written.", ["level"], registry=None
)
SUPPRESSED = Counter(
    "sightline_log_lines_suppressed_total",
    "Log lines of successful requests and deliveries that were left out, there being so many.",
    registry=None,
)
"""Of the process, as its log is: every registry has both."""

# Finding a label's child costs more than counting on it.
_counters: dict[str, Counter] = {}


class _Hot:
    sampler = Sampler(rate=SAMPLE_RATE, every=SAMPLE_EVERY)


def configure(
    *,
    service: str,
    version: str,
    colour: str,
    level: str = "info",
    stream: TextIO | None = None,
    sample_rate: float = SAMPLE_RATE,
    sample_every: int = SAMPLE_EVERY,
) -> None:
    """Send structlog's and the standard library's log lines to `stream` (stdout) as JSON."""
    chosen = LEVELS[level]
    stream = sys.stdout if stream is None else stream
    _Hot.sampler = Sampler(rate=sample_rate, every=sample_every)
    shared = _processors(service=service, version=version, colour=colour)
    structlog.configure(
        processors=[*shared, _json],
        wrapper_class=structlog.make_filtering_bound_logger(chosen),
        logger_factory=structlog.WriteLoggerFactory(file=stream),
        cache_logger_on_first_use=False,
    )
    handler = _Handler(stream)
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


class _Handler(logging.StreamHandler[TextIO]):
    """Says that a line could not be made; Python itself would say it with all that was in it."""

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - its name
        kind = sys.exc_info()[0]
        # Where nothing can be written, nothing can be said about it.
        if kind is not None and not issubclass(kind, OSError | ValueError):
            get(record.name).error("log line not made", of=str(record.msg), reason=kind.__name__)


def catch_crashes() -> None:
    """Make lines of exceptions that nobody caught: what Python says of them keeps nothing out."""
    log = get("telemetry.logs")

    def crashed(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None
    ) -> None:
        if not issubclass(kind, KeyboardInterrupt):
            log.critical("crashed", exc_info=(kind, error, trace))

    def thread_crashed(of: threading.ExceptHookArgs) -> None:
        if of.exc_value is not None and not issubclass(of.exc_type, SystemExit):
            name = of.thread.name if of.thread else None
            trace = (of.exc_type, of.exc_value, of.exc_traceback)
            log.critical("thread crashed", thread=name, exc_info=trace)

    def unraisable(of: sys.UnraisableHookArgs) -> None:
        trace = (of.exc_type, of.exc_value, of.exc_traceback)
        log.error("exception ignored", where=repr(of.object), exc_info=trace)

    sys.excepthook = crashed
    threading.excepthook = thread_crashed
    sys.unraisablehook = unraisable


def bind(**values: str | float) -> None:
    """Put these values on every further line of this request."""
    structlog.contextvars.bind_contextvars(**values)


def get(name: str) -> Any:
    """A logger whose lines carry `module=name`."""
    return structlog.get_logger(module=name)


def left_out(*stream: str, trace_id: str) -> int | None:
    """Ask before a line of which there may be very many: None where it is not to be written.

    Else how many of this stream were left out since the last one that was: say so in the line, as
    `suppressed`, where there were any. A stream is an event and a word or two, such as its route.
    """
    count = _Hot.sampler.take(stream, trace_id=trace_id, now=time.monotonic())
    if count is None:
        SUPPRESSED.inc()
    return count


def _processors(*, service: str, version: str, colour: str) -> list[Processor]:
    def mark(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
        line["service"] = service
        line["version"] = version
        line["colour"] = colour
        return line

    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        mark,
        structlog.processors.format_exc_info,
    ]


def _module(_logger: WrappedLogger, _method: str, line: EventDict) -> EventDict:
    """The standard library's name of the logger, under our name for it."""
    line["module"] = line["_record"].name
    return line


_FIRST = ("time", "level", "event", "service", "version", "colour")
_OURS = frozenset(_FIRST) - {"event"}
_PLAIN = frozenset({str, int, float, bool, type(None)})
_BYTES = (bytes, bytearray, memoryview)


def _json(_logger: WrappedLogger, _method: str, line: EventDict) -> str:
    """The line's text: the one place that all of them pass."""
    level = line.get("level", "info")
    counter = _counters.get(level)
    if counter is None:
        counter = _counters[level] = LINES.labels(level)
    counter.inc()
    ordered = {name: line[name] for name in _FIRST if name in line} | dict(line)
    # msgspec writes NaN as null, so that a line is JSON whatever was logged.
    try:
        for value in ordered.values():
            if type(value) not in _PLAIN:
                ordered = _readable(
                    msgspec.to_builtins(ordered, enc_hook=repr, builtin_types=_BYTES)
                )
                break
        text = msgspec.json.encode(ordered).decode()
        if SECRETS.suspects(text):
            text = msgspec.json.encode(_redacted(ordered)).decode()
    except (TypeError, ValueError, UnicodeEncodeError, RecursionError):
        # Odd keys, huge integers, lone surrogates: the line matters more than its types.
        texts = {
            str(key): value if isinstance(value, str) else repr(value)
            for key, value in ordered.items()
        }
        plain = {_ascii(key): _ascii(str(value)) for key, value in _redacted(texts).items()}
        text = msgspec.json.encode(plain).decode()
    return text


def _redacted(line: dict[str, Any]) -> dict[str, Any]:
    return {
        name: value if name in _OURS else SECRETS.field(name, value) for name, value in line.items()
    }


def _readable(value: Any) -> Any:
    """Bytes as Python writes them: in base64, nobody would find what is secret in them."""
    if isinstance(value, dict):
        return {_readable(key): _readable(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_readable(inner) for inner in value]
    return repr(bytes(value)) if isinstance(value, _BYTES) else value


def _ascii(text: str) -> str:
    return text.encode("ascii", "backslashreplace").decode("ascii")
