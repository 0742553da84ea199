"""Alertmanager's configuration: what everybody shares, and a site's own part.

    python observability/alertmanager/configuration.py --site site.yaml --out alertmanager.yaml

Alertmanager reads one file and includes none, so the two are put together here. A site says where
its receivers lead, when it works and when it drills; routes and inhibition stay the tested ones.
"""

from __future__ import annotations

import argparse
import io
import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

BASE = Path(__file__).parent / "alertmanager.yaml"
FIELDS = ("global", "receivers", "time_intervals", "drills")
SECRETS = frozenset({
    "api_key", "api_secret", "api_url", "app_token", "auth_password", "auth_secret", "bearer_token",
    "bot_token", "client_secret", "credentials", "opsgenie_api_key", "password", "routing_key",
    "secret_key", "service_key", "slack_api_url", "smtp_auth_password", "smtp_auth_secret", "token",
    "user_key", "victorops_api_key", "webhook_url", "wechat_api_secret",
})  # fmt: skip
"""Fields that hold a secret by value; each has a fellow that names a file."""

_MATCHER = re.compile(r"""\s*([a-zA-Z_]\w*)\s*(=~|!~|!=|=)\s*"?(.*?)"?\s*""", re.DOTALL)
_NARROWS_NOTHING = frozenset({"severity", "group"})

Document = dict[str, Any]


class ConfigurationError(Exception):
    """What a site's file says cannot be."""


def compose(base: Mapping[str, Any], site: Mapping[str, Any]) -> Document:
    """The whole configuration; `site` has any of `FIELDS`."""
    for name in site:
        if name not in FIELDS:
            raise ConfigurationError(f"{name}: a site may state {', '.join(FIELDS)}")
    for path, value in _values(site):
        _refuse_secret(path, value)
    whole = dict(base)
    if "global" in site:
        whole["global"] = dict(base.get("global", {})) | dict(site["global"] or {})
    for name in ("receivers", "time_intervals"):
        whole[name] = _replaced(name, base[name], site.get(name) or [])
    drills = site.get("drills") or []
    if drills:
        _schedule(whole, drills)
    return whole


def _replaced(name: str, known: list[Document], own: list[Document]) -> list[Document]:
    """The shared ones, a site's in the place of those of the same name."""
    names = [each["name"] for each in known]
    for index, each in enumerate(own):
        if each.get("name") not in names:
            raise ConfigurationError(
                f"{name}[{index}].name: {each.get('name')!r} is none of {', '.join(names)}"
            )
    chosen = {each["name"]: each for each in own}
    if len(chosen) < len(own):
        raise ConfigurationError(f"{name}: a name stands there twice")
    return [chosen.get(each["name"], each) for each in known]


def _schedule(whole: Document, drills: list[Document]) -> None:
    """Silence the drills' pages at their times, and let chat hear of them then."""
    routes = list(whole["route"]["routes"])
    intervals = list(whole["time_intervals"])
    paging = next(index for index, each in enumerate(routes) if each["receiver"] == "page")
    added = []
    for index, drill in enumerate(drills):
        where = f"drills[{index}]"
        for field in ("name", "matchers", "time_intervals"):
            if not drill.get(field):
                raise ConfigurationError(f"{where}.{field}: is missing")
        if any(drill["name"] == each["name"] for each in intervals):
            raise ConfigurationError(f"{where}.name: {drill['name']!r} is taken")
        if not _narrows(drill["matchers"]):
            raise ConfigurationError(
                f"{where}.matchers: must name what is drilled by = or =~ (a sink, an environment,"
                " an alert): a drill that silences everything hides a real page"
            )
        intervals.append({"name": drill["name"], "time_intervals": drill["time_intervals"]})
        matchers = [*routes[paging]["matchers"], *drill["matchers"]]
        # A route with mute times still takes an alert at any other time, hence a page route of
        # its own instead of one that leads elsewhere.
        added += [
            routes[paging]
            | {"matchers": matchers, "mute_time_intervals": [drill["name"]], "continue": True},
            routes[paging]
            | {
                "receiver": "chat",
                "matchers": matchers,
                "active_time_intervals": [drill["name"]],
            },
        ]
    whole["route"] = whole["route"] | {"routes": [*routes[:paging], *added, *routes[paging:]]}
    whole["time_intervals"] = intervals


def _narrows(matchers: list[str]) -> bool:
    """Whether one of them names a thing, and not whatever there is."""
    for each in matchers:
        found = _MATCHER.fullmatch(each)
        if found is None or found[1] in _NARROWS_NOTHING:
            continue
        if (found[2] == "=" and found[3]) or (found[2] == "=~" and not _takes_all(found[3])):
            return True
    return False


def _takes_all(pattern: str) -> bool:
    try:
        return any(re.fullmatch(pattern, each) for each in ("", "no thing's name"))
    except re.error as error:
        raise ConfigurationError(
            f"drills: {pattern!r} is no regular expression: {error}"
        ) from error


def _values(node: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    if isinstance(node, Mapping):
        for name, value in node.items():
            yield from _values(value, f"{path}.{name}" if path else str(name))
    elif isinstance(node, list):
        for index, value in enumerate(node):
            yield from _values(value, f"{path}[{index}]")
    else:
        yield path, node


def _refuse_secret(path: str, value: Any) -> None:
    name = path.rpartition(".")[2]
    if name in SECRETS:
        raise ConfigurationError(f"{path}: is a secret: put it into a file and name that")
    if name == "url" and urlsplit(str(value)).username is not None:
        raise ConfigurationError(f"{path}: has a password in it: use http_config with a file")


def read(path: Path) -> Document:
    """A YAML file with a table at its top."""
    try:
        document = YAML(typ="safe", pure=True).load(path)
    except YAMLError as error:
        raise ConfigurationError(f"{path}: is no YAML: {error}") from error
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from error
    if not isinstance(document, dict):
        raise ConfigurationError(f"{path}: must be a table")
    return cast("Document", document)


def written(document: Mapping[str, Any]) -> str:
    """The document as YAML."""
    text = io.StringIO()
    yaml = YAML()
    yaml.default_flow_style = False
    yaml.width = 100
    yaml.representer.ignore_aliases = lambda _: True
    yaml.dump(document, text)
    return text.getvalue()


def main(arguments: list[str] | None = None) -> int:
    """Put the two together, or say which field is wrong."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else None)
    parser.add_argument("--site", type=Path, help="the site's own part")
    parser.add_argument("--out", type=Path, required=True)
    asked = parser.parse_args(arguments)
    try:
        site = read(asked.site) if asked.site else {}
        text = written(compose(read(BASE), site))
    except ConfigurationError as error:
        print(error, file=sys.stderr)  # noqa: T201
        return 2
    asked.out.write_text("# Written by configuration.py.\n" + text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
