"""Bytes to values and back, with errors that name the field, the value and the limit."""

from __future__ import annotations

import re
import threading
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

_PATH = re.compile(r" - at `(?:key in )?\$(?P<path>[^`]*)`$")
_STEP = re.compile(r"\.([^.\[\]]+)|\[(\d+|\.\.\.)\]")
_LIMITS = {"ge": ">=", "gt": ">", "le": "<=", "lt": "<"}
_SHOWN_LENGTH = 60
_ONE_AT_A_TIME = threading.Lock()
_DECODERS: dict[Any, msgspec.json.Decoder[Any]] = {}


class MessageError(ValueError):
    """A message that breaks the contract: which field, and what it must be."""

    def __init__(self, *, field: str, reason: str, limit: str | None = None) -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.field = field
        self.reason = reason
        self.limit = limit


def encode(value: Any) -> bytes:
    """The value as compact JSON."""
    return msgspec.json.encode(value)


def _decoder(kind: type[T]) -> msgspec.json.Decoder[T]:
    """One for each kind.

    msgspec (0.22) looks a type over when it first meets it, and ends the process by a segmentation
    fault where two threads do so at the same moment.
    """
    found = _DECODERS.get(kind)
    if found is None:
        with _ONE_AT_A_TIME:
            found = _DECODERS.setdefault(kind, msgspec.json.Decoder(kind))
    return found


def decode(data: bytes | bytearray | memoryview, kind: type[T], *, at: str = "") -> T:
    """Read a JSON message; raise MessageError when it is not one of that kind."""
    try:
        return _decoder(kind).decode(data)
    except msgspec.ValidationError as error:
        raise _explained(error, _read(data, object, at), kind, at) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _read(data, kind, at)


def _read(data: bytes | bytearray | memoryview, kind: type[T], at: str) -> T:
    """Read JSON of whatever shape; raise MessageError when it is not JSON at all."""
    try:
        return _decoder(kind).decode(data)
    except RecursionError:
        raise MessageError(field=at or "body", reason="nested too deeply") from None
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        reason = str(error).removeprefix("JSON is malformed: ")
        raise MessageError(field=at or "body", reason=f"not JSON: {reason}") from None


def convert(data: Any, kind: type[T], *, at: str = "") -> T:
    """Read a message that is already plain dicts and lists (from TOML, say)."""
    _decoder(kind)
    try:
        return msgspec.convert(data, type=kind)
    except msgspec.ValidationError as error:
        raise _explained(error, data, kind, at) from None


def _explained(error: msgspec.ValidationError, data: Any, kind: Any, at: str) -> MessageError:
    """Turn msgspec's words into ours: the field's path first, then the value and its limit."""
    text = str(error)
    match = _PATH.search(text)
    path = match["path"] if match else ""
    reason = text[: match.start()] if match else text
    # Of a list, the path begins with which of them it is.
    field = at + path if at and path.startswith("[") else ".".join(filter(None, (at, path[1:])))
    value = _value_at(data, path)
    limits = _limits_of(kind, path)
    limit: str | None = None
    wrong_kind = ", got `" in reason
    if limits is not None and isinstance(value, int | float) and not wrong_kind:
        limit, reason = _range(limits, value, reason)
    elif reason.startswith("Object missing required field"):
        missing = reason.split("`")[1]
        return MessageError(field=f"{field}.{missing}" if field else missing, reason="is missing")
    elif reason.startswith("Object contains unknown field"):
        unknown = reason.split("`")[1]
        known = _known_fields(kind, path)
        return MessageError(
            field=f"{field}.{unknown}" if field else unknown,
            reason="is not a field of this message" + (f" (known: {known})" if known else ""),
        )
    elif reason.startswith("Invalid enum value"):
        reason = f"{value!r} is not one of {_choices(kind, path)}"
    elif reason.startswith(("Expected", "Invalid")):
        shown = repr(value)
        shown = shown if len(shown) <= _SHOWN_LENGTH else shown[:_SHOWN_LENGTH] + "…"
        reason = f"{reason[0].lower()}{reason[1:]}" + (f", got {shown}" if match else "")
    return MessageError(field=field or "body", reason=reason, limit=limit)


def _range(
    limits: msgspec.inspect.FloatType | msgspec.inspect.IntType, value: float, reason: str
) -> tuple[str | None, str]:
    low = limits.ge if limits.ge is not None else limits.gt
    high = limits.le if limits.le is not None else limits.lt
    if low is None or high is None:
        return None, f"{value:g}: {reason[0].lower()}{reason[1:]}"
    words = f"{low:g}..{high:g}"
    beyond = " (the end itself excluded)" if value in (low, high) else ""
    return words, f"{value:g} is outside {words}{beyond}"


def _steps(path: str) -> list[str | int]:
    return [name or (0 if index == "..." else int(index)) for name, index in _STEP.findall(path)]


def _value_at(data: Any, path: str) -> Any:
    for step in _steps(path):
        try:
            data = data[step]
        except (KeyError, IndexError, TypeError):
            return None
    return data


def _type_at(kind: Any, path: str) -> msgspec.inspect.Type:
    node = msgspec.inspect.type_info(kind)
    for step in _steps(path):
        node = _below(node, step)
    return node


def _below(node: msgspec.inspect.Type, step: str | int) -> msgspec.inspect.Type:
    node = _plain(node)
    if isinstance(node, msgspec.inspect.StructType):
        for position, field in enumerate(node.fields):
            if step in (field.encode_name, position):
                return field.type
    if isinstance(node, msgspec.inspect.TupleType) and isinstance(step, int):
        return node.item_types[step]
    if isinstance(node, msgspec.inspect.VarTupleType | msgspec.inspect.ListType):
        return node.item_type
    if isinstance(node, msgspec.inspect.DictType):
        return node.value_type
    return msgspec.inspect.AnyType()


def _plain(node: msgspec.inspect.Type) -> msgspec.inspect.Type:
    """The type itself, without its metadata and without the None of an optional field."""
    while isinstance(node, msgspec.inspect.Metadata):
        node = node.type
    if isinstance(node, msgspec.inspect.UnionType):
        others = [each for each in node.types if not isinstance(each, msgspec.inspect.NoneType)]
        if len(others) == 1:
            return _plain(others[0])
    return node


def _limits_of(kind: Any, path: str) -> msgspec.inspect.FloatType | msgspec.inspect.IntType | None:
    node = _plain(_type_at(kind, path))
    if isinstance(node, msgspec.inspect.FloatType | msgspec.inspect.IntType) and any(
        getattr(node, name) is not None for name in _LIMITS
    ):
        return node
    return None


def _choices(kind: Any, path: str) -> str:
    node = _plain(_type_at(kind, path))
    if isinstance(node, msgspec.inspect.LiteralType):
        return ", ".join(str(value) for value in node.values)
    return "the known values"


def _known_fields(kind: Any, path: str) -> str:
    node = _plain(_type_at(kind, path))
    if isinstance(node, msgspec.inspect.StructType):
        return ", ".join(field.encode_name for field in node.fields)
    return ""
