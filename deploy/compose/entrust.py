"""Make the secrets of `make dev`: once, as files of mode 0600, and a copy for each who needs some.

Runs in a container as root, before all others. /host is a folder of whoever typed `make dev`: what
is missing there is made, and belongs to the folder's owner. /volumes/NAME gets what service NAME
may know, readable by that service's user alone.
"""

from __future__ import annotations

import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from access.keys import entry_of, new_key

HOST = Path("/host")
VOLUMES = Path("/volumes")

KEYS = {
    "detection": {"simulator": ("detect",), "operator": ("detect", "read", "operate")},
    "gateway": {"detection": ("detect",), "operator": ("detect", "read", "operate")},
}
"""Of each service: who has a key, and for what. One holder's key is the same everywhere."""


@dataclass(frozen=True, kw_only=True)
class Consumer:
    """A service, and what it may know: the name of its file, and whose content that has."""

    uid: int
    files: dict[str, str]


CONSUMERS = {
    "postgres": Consumer(uid=999, files={"password": "database-password"}),
    "gateway": Consumer(
        uid=10001,
        files={
            "database-url": "database-url",
            "keys.toml": "gateway-keys.toml",
            "token-secret": "token-secret",
        },
    ),
    "detection": Consumer(
        uid=10001,
        files={
            "gateway-key": "detection-key",
            "keys.toml": "detection-keys.toml",
            "token-secret": "token-secret",
        },
    ),
    "simulator": Consumer(uid=10001, files={"key": "simulator-key"}),
    "grafana": Consumer(uid=472, files={"grafana-admin-password": "grafana-password"}),
}


def kept(name: str, made: str) -> str:
    """What the folder has under this name already, else what was made now."""
    path = HOST / name
    if not path.exists():
        write(path, made, mode=0o600, uid=HOST.stat().st_uid, gid=HOST.stat().st_gid)
    return path.read_text(encoding="utf-8")


def write(path: Path, text: str, *, mode: int, uid: int, gid: int) -> None:
    """Whole or not at all, and never readable by anybody else."""
    part = path.with_name(f".{path.name}.part")
    part.unlink(missing_ok=True)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:  # noqa: PTH123
        file.write(text)
        os.fchown(file.fileno(), uid, gid)
        os.fchmod(file.fileno(), mode)
        os.fsync(file.fileno())
    part.rename(path)


def keys() -> None:
    """An API key for each who needs one, and for each service the file that lets them in."""
    for service, holders in KEYS.items():
        entries = []
        for holder, roles in holders.items():
            fresh, _ = new_key(holder, roles)
            entries.append(entry_of(kept(f"{holder}-key", fresh), roles))
        (HOST / f"{service}-keys.toml").unlink(missing_ok=True)
        kept(f"{service}-keys.toml", "\n".join(entries))


def main() -> None:
    """Make what is missing, and hand it out."""
    password = kept("database-password", secrets.token_urlsafe(32))
    kept("database-url", f"postgresql://sightline:{password}@postgres/sightline")
    kept("token-secret", secrets.token_urlsafe(48))
    kept("grafana-password", secrets.token_urlsafe(18))
    keys()
    for name, consumer in CONSUMERS.items():
        folder = VOLUMES / name
        for file, source in consumer.files.items():
            text = (HOST / source).read_text(encoding="utf-8")
            write(folder / file, text, mode=0o400, uid=consumer.uid, gid=consumer.uid)
        os.chown(folder, consumer.uid, consumer.uid)
        folder.chmod(0o500)


if __name__ == "__main__":
    main()
