"""Logins changed in a real PostgreSQL. Passwords are hashed here: its log never sees them."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from psycopg import sql

from sightline.secrets.database_logins import Login, LoginStep
from sightline.secrets.errors import RefusedError, SecretsError, UnreachableError

CONNECT_SECONDS = 10


@contextmanager
def session(url: str) -> Iterator[psycopg.Connection[Any]]:
    """A session. Raises UnreachableError, or SecretsError when the database says no."""
    try:
        connection = psycopg.connect(url, connect_timeout=CONNECT_SECONDS, autocommit=True)
    except psycopg.Error as error:
        # What libpq says may hold the user and host, and never the password.
        raise UnreachableError(f"the database lets nobody in: {_words(error)}") from None
    try:
        with connection:
            yield connection
    except psycopg.Error as error:
        raise SecretsError(f"the database refuses: {_words(error)}") from None


def make(admin: psycopg.Connection[Any], login: Login, word: str) -> None:
    """Let a user log in for the owner; it may be there already."""
    user, owner = sql.Identifier(login.user), sql.Identifier(login.owner)
    there = admin.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [login.user]).fetchone()
    verb = sql.SQL("ALTER" if there else "CREATE")
    with admin.transaction():
        admin.execute(
            sql.SQL("{} ROLE {} LOGIN PASSWORD {}").format(
                verb, user, sql.Literal(_hashed(admin, login.user, word))
            )
        )
        admin.execute(sql.SQL("GRANT {} TO {}").format(owner, user))


def check(url: str, login: Login) -> None:
    """Log in as the services will. Raises SecretsError where the session is not the owner's."""
    with session(url) as connection:
        found = connection.execute("SELECT session_user, current_user").fetchone()
    if found != (login.user, login.owner):
        raise SecretsError(
            f"logged in as {login.user}, the session is not {login.owner}'s: does something between"
            " here and the database (a pooler) drop `options`?"
        )


def end(admin: psycopg.Connection[Any], step: LoginStep) -> str | None:
    """End a login; its new password where it keeps one. Raises RefusedError while it is in use."""
    row = admin.execute(
        "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND pid <> pg_backend_pid()",
        [step.user],
    ).fetchone()
    if row and row[0]:
        raise RefusedError(
            f"{step.user} still has {row[0]} sessions: restart what has the earlier address (its"
            " pods, backups), then finish"
        )
    user = sql.Identifier(step.user)
    if step.does == "reset":
        word = secrets.token_urlsafe(32)
        hashed = sql.Literal(_hashed(admin, step.user, word))
        admin.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(user, hashed))
        return word
    admin.execute(sql.SQL("ALTER ROLE {} NOLOGIN PASSWORD NULL").format(user))
    return None


def _hashed(connection: psycopg.Connection[Any], user: str, word: str) -> str:
    """As PostgreSQL keeps it (SCRAM-SHA-256)."""
    made = connection.pgconn.encrypt_password(word.encode(), user.encode(), b"scram-sha-256")
    return made.decode()


def _words(error: psycopg.Error) -> str:
    told = error.diag.message_primary or str(error).strip().splitlines()[0]
    return told or type(error).__name__
