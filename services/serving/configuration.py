"""Settings: a TOML file, then environment variables, then the command line; parsed once, frozen.

`SIGHTLINE_GATEWAY_LOG_LEVEL=debug` sets the field `log_level`, `..._STORE__PATH` the field `path`
of `store`, and `..._TOKEN_FILE=/run/secrets/token` sets `token` to what that file holds. A name
that no field has is an error, most likely a misspelt one.
"""

from __future__ import annotations

import re
import tomllib
import types
import typing
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from serving.errors import ConfigurationError
from sightline.messages import MessageError, convert
from telemetry import redaction
from telemetry.redaction import SECRETS

S = TypeVar("S", bound=msgspec.Struct)

SHARED: Mapping[str, tuple[str, ...]] = {
    "SIGHTLINE_COLOUR": ("colour",),
    "SIGHTLINE_VERSION": ("version",),
}
"""Variables that mean the same to every service, without its prefix."""

_FILE = "_FILE"

# What Kubernetes tells every container of the Services beside it: a Service with our prefix for its
# name would otherwise look like misspelt settings.
_SERVICE_LINK = re.compile(
    r"(\w+_)?(SERVICE_(HOST|PORT)(_\w+)?|PORT_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)"
)
_SERVICE_LINK_PORT = re.compile(r"(\w+_)?PORT")
_SERVICE_LINK_URL = re.compile(r"(tcp|udp|sctp)://")


def load(
    kind: type[S],
    *,
    prefix: str,
    environ: Mapping[str, str],
    file: Path | None = None,
    overrides: Mapping[str, Any] | None = None,
) -> S:
    """The settings. Raises ConfigurationError with the variable's or field's name and the limit.

    `overrides` are the command line's: fields by name, None where nothing was said.
    """
    data: dict[str, Any] = {} if file is None else _read(file)
    origins: dict[str, str] = {}
    for path, text, origin in _variables(kind, prefix, environ):
        _put(data, path, _value(text, _type_at(kind, path)))
        origins[".".join(path)] = origin
    for name, value in (overrides or {}).items():
        if value is not None:
            data[name] = value
            origins[name] = "--" + name.replace("_", "-")
    # Before the check of the whole: a sentence about what is wrong may quote it.
    _keep_out(data)
    try:
        return convert(data, kind)
    except MessageError as error:
        raise _explained(error, origins, file, prefix) from None


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigurationError(f"{file}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{file}: not TOML: {error}") from error


def _variables(
    kind: type[msgspec.Struct], prefix: str, environ: Mapping[str, str]
) -> Iterator[tuple[tuple[str, ...], str, str]]:
    """The field's path, the text, and the variable's name, of each variable that is ours."""
    for variable, path in SHARED.items():
        if variable in environ and path[0] in kind.__struct_fields__:
            yield path, environ[variable], variable
    for variable in sorted(environ):
        rest = variable.removeprefix(prefix)
        if rest == variable or _is_service_link(rest, environ[variable]):
            continue
        path = tuple(rest.lower().split("__"))
        if _type_at(kind, path) is not None:
            yield path, environ[variable], variable
            continue
        named = tuple(rest.removesuffix(_FILE).lower().split("__"))
        if not rest.endswith(_FILE) or _type_at(kind, named) is None:
            known = ", ".join(prefix + name.upper() for name in kind.__struct_fields__)
            raise ConfigurationError(f"{variable}: no setting has this name (known: {known})")
        yield named, _secret(variable, environ[variable]), variable


def _is_service_link(rest: str, text: str) -> bool:
    if _SERVICE_LINK.fullmatch(rest):
        return True
    return bool(_SERVICE_LINK_PORT.fullmatch(rest) and _SERVICE_LINK_URL.match(text))


def _secret(variable: str, file: str) -> str:
    try:
        secret = Path(file).read_text(encoding="utf-8").rstrip("\r\n")
    except OSError as error:
        raise ConfigurationError(f"{variable}: {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{variable}: {file}: not UTF-8 text") from error
    SECRETS.register(secret)
    return secret


def _keep_out(data: Any, name: str = "") -> None:
    """Keep out of the log what a setting's name says is a secret, and passwords in addresses."""
    if isinstance(data, dict):
        for key, value in data.items():
            _keep_out(value, str(key))
    elif isinstance(data, list | tuple):
        for value in data:
            _keep_out(value, name)
    elif isinstance(data, str):
        SECRETS.register(*redaction.of_url(data))
        if redaction.is_secret(name):
            SECRETS.register(data)


def _type_at(kind: Any, path: tuple[str, ...]) -> Any:
    """The declared type of a field, or None where there is none."""
    for name in path:
        struct = _struct(kind)
        if struct is None or name not in struct.__struct_fields__:
            return None
        kind = typing.get_type_hints(struct, include_extras=True)[name]
    return kind


def _struct(kind: Any) -> type[msgspec.Struct] | None:
    """The struct itself, out of `Annotated[...]` and `... | None`."""
    origin = typing.get_origin(kind)
    if origin is typing.Annotated:
        return _struct(typing.get_args(kind)[0])
    if origin in (typing.Union, types.UnionType):
        return next((found for arm in typing.get_args(kind) if (found := _struct(arm))), None)
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return kind
    return None


def _value(text: str, kind: Any) -> Any:
    """A variable's text as TOML would have stated it.

    Where it does not fit, the nearest plain value: the check of the whole then says what is wrong.
    """
    structured = _json(text) if text[:1] in ("[", "{") else text
    parts = [part.strip() for part in text.split(",") if part.strip()]
    for candidate in (text, structured, parts):
        try:
            return msgspec.to_builtins(msgspec.convert(candidate, kind, strict=False))
        except msgspec.ValidationError:
            continue
    if structured is not text:
        return structured
    try:
        number = float(text)
    except ValueError:
        return text
    return int(number) if number.is_integer() else number


def _json(text: str) -> Any:
    try:
        return msgspec.json.decode(text)
    except msgspec.DecodeError:
        return text


def _put(data: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for name in path[:-1]:
        inner = data.setdefault(name, {})
        if not isinstance(inner, dict):
            inner = data[name] = {}
        data = inner
    data[path[-1]] = value


def _explained(
    error: MessageError, origins: Mapping[str, str], file: Path | None, prefix: str
) -> ConfigurationError:
    """Name the field as whoever set it knows it, and keep what a secret's file held quiet."""
    field, reason = error.field, error.reason
    # The table or list that it is in may have been set as a whole.
    setting = max((name for name in origins if _is_in(field, name)), key=len, default=None)
    if setting is not None:
        origin, rest = origins[setting], field.removeprefix(setting).lstrip(".")
        if origin.endswith(_FILE) and not setting.endswith(_FILE.lower()):
            reason = "what the file holds is not a value for this setting"
            reason += f" (limit: {error.limit})" if error.limit else ""
        elif rest:
            reason = f"{rest}: {reason}"
        return ConfigurationError(f"{origin}: {reason}")
    if reason == "is missing":
        variable = prefix + field.upper().replace(".", "__")
        return ConfigurationError(f"{field}: is missing; {variable} or the settings file sets it")
    where = "" if file is None else f"{file}: "
    # A check of several settings together names them itself.
    return ConfigurationError(where + (reason if field == "body" else f"{field}: {reason}"))


def _is_in(field: str, setting: str) -> bool:
    return field == setting or field.startswith((f"{setting}.", f"{setting}["))
