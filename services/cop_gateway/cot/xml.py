"""XML as CoT needs it: escaped text, decimals without exponents, Zulu times."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

UNKNOWN = "9999999.0"
"""CoT's word for a height or an error that nobody knows."""

# Most text is plain, and asking is much cheaper than translating.
_PLAIN = re.compile(r"[\w .:/#%,()+@=;?~!*{}\[\]|-]*", re.ASCII)
# Characters that XML 1.0 cannot carry at all, not even escaped.
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]")
_ESCAPES = str.maketrans(
    {
        "&": "&amp;",
        "<": "&lt;",
        ">": "&gt;",
        '"': "&quot;",
        "'": "&apos;",
        "\t": "&#9;",
        "\n": "&#10;",
        "\r": "&#13;",
    }
)


def escape(text: str) -> str:
    """Text for an attribute or an element; what XML cannot carry becomes U+FFFD."""
    if _PLAIN.fullmatch(text):
        return text
    return _FORBIDDEN.sub("\ufffd", text).translate(_ESCAPES)


def attributes(values: Mapping[str, str]) -> str:
    """Attributes with a leading space each, escaped."""
    return "".join(f' {name}="{escape(value)}"' for name, value in values.items())


def degrees(value: float) -> str:
    """Seven places: about a centimetre."""
    return f"{value:z.7f}"


def metres(value: float | None) -> str:
    """Centimetres are enough; None is CoT's unknown."""
    return UNKNOWN if value is None else f"{value:z.2f}"


def timestamp(moment: datetime) -> str:
    """Milliseconds in Zulu, as TAK writes them. The datetime must be aware."""
    return (
        moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
    )
