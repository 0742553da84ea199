"""Rotations taken: what a planner says is written into the folder, step by step."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec

from sightline.journal import Journal
from sightline.secrets import api_keys, database_logins, token_keys
from sightline.secrets.database_logins import LoginStep
from sightline.secrets.errors import RefusedError
from sightline.secrets.folder import Folder
from sightline.steps import Step

URL, EARLIER_URL, OWNER_PASSWORD = "database-url", "database-url.earlier", "database-password"
_EMBEDDED = "postgresql://sightline:{password}@sightline-database/sightline"


class Rotation(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done: steps to show, and files to write, in their order. Not to be shown."""

    steps: tuple[Step, ...]
    files: dict[str, bytes]

    def __repr__(self) -> str:
        return f"<Rotation: {len(self.steps)} steps>"


def token(
    folder: Folder,
    *,
    now: datetime,
    settle: timedelta,
    token_life: timedelta,
    finish: bool,
    at_once: bool,
) -> Rotation:
    """A new key that signs tokens, or with `finish` the end of those that have ended."""
    keys: Sequence[token_keys.Key] = []
    if folder.has(token_keys.NAME):
        keys = token_keys.parse(
            folder.text(token_keys.NAME), name=str(folder.path / token_keys.NAME)
        )
    if finish:
        steps, kept = token_keys.finish(keys, now=now)
    elif at_once:
        steps, kept = token_keys.replace(keys, token_keys.new_key(), now=now)
    else:
        steps, kept = token_keys.rotate(
            keys, token_keys.new_key(), now=now, settle=settle, token_life=token_life
        )
    if not steps:
        return Rotation(steps=(), files={})
    return Rotation(steps=tuple(steps), files={token_keys.NAME: token_keys.written(kept)})


def keys(
    folder: Folder, holders: Sequence[str], *, now: datetime, overlap: timedelta, finish: bool
) -> Rotation:
    """New API keys, or with `finish` the end of those that were replaced."""
    if finish:
        done, files = api_keys.finish(folder, now=now)
        return Rotation(steps=tuple(done), files=files)
    steps, files = api_keys.rotate(folder, holders, now=now, overlap=overlap)
    return Rotation(steps=tuple(steps), files=files)


def take(rotation: Rotation, folder: Folder, journal: Journal) -> None:
    """Write the files; each is whole, and the order is such that a crash locks nobody out."""
    folder.write_all(rotation.files)
    for step in rotation.steps:
        with journal.step(step):
            pass


def database_step(folder: Folder, *, finish: bool) -> LoginStep:
    """What would be done to the database."""
    present = _login(folder, URL)
    if finish:
        if not folder.has(EARLIER_URL):
            raise RefusedError(f"{folder.path} has no {EARLIER_URL}: nothing is to be finished")
        return database_logins.ending(_login(folder, EARLIER_URL), present)
    if folder.has(EARLIER_URL):
        raise RefusedError("the rotation before is not finished: --finish ends the earlier login")
    after = database_logins.following(present, name=str(folder.path / URL))
    return LoginStep(user=after.user, does="make", owner=after.owner)


def database(
    folder: Folder, *, finish: bool, place: str | None, admin_url: str | None, journal: Journal
) -> LoginStep:
    """Make the next login, or end the earlier one. `place` is where the database is reached."""
    from sightline.secrets import database as real  # noqa: PLC0415 - an extra's

    name = str(folder.path / URL)
    present = _login(folder, URL)
    step = database_step(folder, finish=finish)
    entrance = database_logins.through(admin_url or present.url, place, name=name)
    with journal.step(step), real.session(entrance) as admin:
        if finish:
            word = real.end(admin, step)
            if word is not None and folder.has(OWNER_PASSWORD):
                folder.write(OWNER_PASSWORD, word.encode())
            folder.remove(EARLIER_URL)
            return step
        after = database_logins.following(present, name=name)
        real.make(admin, after, database_logins.password(after.url, name=name))
        real.check(database_logins.through(after.url, place, name=name), after)
        # Only now: whatever failed before has left the present login as it was.
        folder.write(EARLIER_URL, present.url.encode())
        folder.write(URL, after.url.encode())
    return step


def _login(folder: Folder, name: str) -> database_logins.Login:
    if name == URL and not folder.has(URL) and folder.has(OWNER_PASSWORD):
        url = _EMBEDDED.format(password=folder.text(OWNER_PASSWORD))
        return database_logins.read(url, name=str(folder.path / OWNER_PASSWORD))
    return database_logins.read(folder.text(name), name=str(folder.path / name))
