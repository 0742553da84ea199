"""What is asked of the demo."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from sightline.demo.errors import DemoError

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
_LONGEST_SECONDS = 30 * 86_400.0


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What is asked for. Without `frames` and `seconds` it goes on until it is stopped."""

    seed: int = 1
    cameras: int = 3
    rate_hz: float = 10.0
    frames: int | None = None
    seconds: float | None = None
    tak: str | None = None
    """tcp://host:port of a server that is there already; None starts taky."""
    keep: bool = False
    """Keep the folder with logs and database."""


def tak_address(url: str) -> tuple[str, int]:
    """Host and port of tcp://host:port."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise DemoError(f"--tak: {url!r}: {error}") from error
    if parts.scheme != "tcp" or not parts.hostname or port is None:
        raise DemoError(f"--tak: {url!r} must be tcp://host:port")
    return parts.hostname, port


def duration(text: str) -> float:
    """Seconds of 30s, 2m, 1h, 7d or a bare number. Raises ValueError naming what it got."""
    number, unit = (text[:-1], _UNITS[text[-1]]) if text[-1:] in _UNITS else (text, 1.0)
    try:
        seconds = float(number) * unit
    except ValueError:
        raise ValueError(f"{text!r} is not a duration such as 30s, 2m, 1h or 7d") from None
    if not 0 < seconds <= _LONGEST_SECONDS:
        raise ValueError(f"{text!r} is outside 0..30 days")
    return seconds
