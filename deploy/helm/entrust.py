"""Print the Secrets that the chart mounts, for kubectl: made once, kept in a folder of one's own.

    python deploy/helm/entrust.py --folder ~/sightline-secrets | kubectl apply --server-side -f -

What is missing in the folder is made and what is there is kept, so that a second run prints the
same; `sightline secrets rotate` changes it. FOLDER/holders.toml says who has an API key of which
service and for what; add a line, and the new key is in FOLDER/ID-key. What lies in FOLDER/tak (data
packages, certificates) becomes the Secret sightline-tak. The Namespace comes along, since Secrets
need one. Server-side, because a client-side apply would write the Secrets into an annotation as
well. For Git: `| sightline secrets seal --certificate FILE --folder FOLDER --out FILE` instead.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import secrets
import sys
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from access.errors import KeysError
from access.keys import entry_of, new_key
from access.roles import Role
from sightline.secrets import api_keys, token_keys
from sightline.secrets.errors import SecretsError
from sightline.secrets.folder import Folder

HOLDERS = """\
# Who has an API key of which service, and for what (detect, read, operate). A holder's key is the
# same for both, in the file ID-key beside this one.
[detection]
deployer = ["detect", "read", "operate"]
operator = ["detect", "read", "operate"]
simulator = ["detect"]

[gateway]
deployer = ["detect", "read", "operate"]
detection = ["detect"]
operator = ["detect", "read", "operate"]
"""
URL = "postgresql://sightline:{password}@sightline-database/sightline"
RESTRICTED = {
    f"pod-security.kubernetes.io/{mode}": "restricted" for mode in ("enforce", "audit", "warn")
}
NAMES = re.compile("[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DATE = re.compile("  # entered on .*")


class EntrustError(Exception):
    """What is in the folder cannot be used; the sentence says why."""


class Holders(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """By service: who has a key, and for what."""

    detection: dict[str, tuple[Role, ...]]
    gateway: dict[str, tuple[Role, ...]]


def holders(folder: Folder) -> Holders:
    """Who has a key, and for what."""
    text = folder.kept("holders.toml", HOLDERS.encode())
    try:
        return msgspec.convert(tomllib.loads(text), Holders)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise EntrustError(f"{folder.path / 'holders.toml'}: {error}") from error


def keys(folder: Folder, having: Mapping[str, tuple[Role, ...]]) -> str:
    """A service's file of keys, with those that were replaced and have not ended."""
    entries = []
    for who, roles in sorted(having.items()):
        fresh, _ = new_key(who, roles)
        key = folder.kept(f"{who}-key", fresh.encode())
        entry = entry_of(key, roles, earlier=api_keys.earlier(folder, who))
        # Without its date: the same today and tomorrow, or pods would start anew for nothing.
        entries.append(_DATE.sub("", entry))
    return "\n".join(entries)


def contents(folder: Folder, database: str) -> dict[str, dict[str, str]]:
    """By the Secret's name: what is in it."""
    having = holders(folder)
    if "detect" not in having.gateway.get("detection", ()):
        raise EntrustError(
            f"{folder.path / 'holders.toml'}: [gateway] needs a key of `detection` for detect, by "
            "which frames are committed"
        )
    token = folder.kept("token-secret", secrets.token_urlsafe(48).encode())
    made = {
        "sightline-cop-gateway": {
            "keys.toml": keys(folder, having.gateway),
            "token-secret": token,
        },
        "sightline-detection": {
            "keys.toml": keys(folder, having.detection),
            "token-secret": token,
            "gateway-key": folder.text("detection-key"),
        },
    }
    if folder.has(token_keys.NAME):
        for service in ("sightline-cop-gateway", "sightline-detection"):
            made[service][token_keys.NAME] = folder.text(token_keys.NAME)
    if "deployer" in having.detection:
        made["sightline-deployer"] = {"key": folder.text("deployer-key")}
    if database == "embedded":
        password = folder.kept("database-password", secrets.token_urlsafe(32).encode())
        made["sightline-database"] = {"password": password}
        # After `sightline secrets rotate database` it is another user's, and in a file.
        url = folder.text("database-url") if folder.has("database-url") else None
        made["sightline-cop-gateway"]["database-url"] = url or URL.format(password=password)
    elif database == "external":
        if not (folder.path / "database-url").exists():
            raise EntrustError(
                f"{folder.path / 'database-url'} is missing: write PostgreSQL's address into it, "
                "such as postgresql://user:password@host/name"
            )
        made["sightline-cop-gateway"]["database-url"] = folder.text("database-url")
    return made


def files(folder: Path) -> dict[str, bytes]:
    """What lies in a folder, by name; nothing where there is none."""
    return {path.name: path.read_bytes() for path in folder.glob("*") if path.is_file()}


def manifest(namespace: str, contents: Mapping[str, Mapping[str, bytes]]) -> dict[str, Any]:
    """The Namespace and the Secrets, as one list."""
    labels = {"app.kubernetes.io/part-of": "sightline"}
    items: list[dict[str, Any]] = [
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": namespace, "labels": labels | RESTRICTED},
        }
    ]
    for name, data in contents.items():
        encoded = {
            file: base64.b64encode(content).decode() for file, content in sorted(data.items())
        }
        items.append(
            {
                "apiVersion": "v1",
                "kind": "Secret",
                "type": "Opaque",
                "metadata": {"name": name, "namespace": namespace, "labels": labels},
                "data": encoded,
            }
        )
    return {"apiVersion": "v1", "kind": "List", "items": items}


def main(argv: list[str] | None = None) -> int:
    """Print it; gives the exit code."""
    parser = argparse.ArgumentParser(description="Print the Secrets that the chart mounts")
    parser.add_argument("--folder", type=Path, required=True, help="where they are kept, mode 0700")
    parser.add_argument("--namespace", default="detection-system")
    parser.add_argument(
        "--database",
        choices=["external", "embedded", "sqlite"],
        default="external",
        help="as the chart's database.mode; external needs FOLDER/database-url",
    )
    asked = parser.parse_args(argv)
    if not NAMES.fullmatch(asked.namespace):
        parser.error("--namespace: lower-case letters, digits and hyphens, 63 at most")
    if sys.stdout.isatty():
        parser.error("this prints secrets: pipe it into kubectl apply --server-side -f -")
    try:
        folder = Folder(asked.folder)
        made = {
            name: {file: text.encode() for file, text in texts.items()}
            for name, texts in contents(folder, asked.database).items()
        }
    except (EntrustError, KeysError, SecretsError, OSError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 1
    if tak := files(folder.path / "tak"):
        made["sightline-tak"] = tak
    json.dump(manifest(asked.namespace, made), sys.stdout, indent=1)
    print()
    return 0


if __name__ == "__main__":
    sys.exit(main())
