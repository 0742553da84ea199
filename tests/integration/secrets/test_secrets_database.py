"""The database's login changes in a real PostgreSQL while sessions of the earlier one go on."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from postgres_server import Postgres
from sightline.journal import Journal
from sightline.secrets import rotation
from sightline.secrets.errors import RefusedError, SecretsError, UnreachableError
from sightline.secrets.folder import Folder

OWNER = "cop"
WORD = "the%20first%20word"
WRONG = "wrong-word"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Postgres]:
    """One that asks everybody but its superuser for a password, and logs every statement."""
    server = Postgres(tmp_path_factory.mktemp("logins"), settings=("log_statement=all",))
    server.start()
    rules = server.data / "pg_hba.conf"
    rules.write_text("host all sightline all trust\nhost all all all scram-sha-256\n")
    with server.session() as admin:
        admin.execute("SELECT pg_reload_conf()")
    yield server
    server.crash()


@pytest.fixture
def folder(server: Postgres, tmp_path: Path) -> Folder:
    with server.session() as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {OWNER}")
        for user in (OWNER, f"{OWNER}_a", f"{OWNER}_b"):
            admin.execute(f"DROP ROLE IF EXISTS {user}")
        admin.execute(f"CREATE ROLE {OWNER} LOGIN SUPERUSER PASSWORD 'the first word'")
        admin.execute(f"CREATE DATABASE {OWNER} OWNER {OWNER}")
    made = Folder(tmp_path / "secrets")
    made.write("database-url", f"postgresql://{OWNER}:{WORD}@db/{OWNER}".encode())
    return made


def _rotate(folder: Folder, server: Postgres, *, finish: bool = False, **more: str) -> None:
    rotation.database(
        folder,
        finish=finish,
        place=f"127.0.0.1:{server.port}",
        admin_url=more.get("admin_url"),
        journal=Journal(),
    )


def _session(folder: Folder, server: Postgres, name: str = "database-url") -> psycopg.Connection:
    url = folder.text(name).replace("@db/", f"@127.0.0.1:{server.port}/")
    return psycopg.connect(url, autocommit=True, connect_timeout=5)


def test_both_logins_work_until_the_earlier_one_is_ended(server: Postgres, folder: Folder) -> None:
    with _session(folder, server) as first:
        first.execute("CREATE TABLE outbox (n int)")
        _rotate(folder, server)
        with _session(folder, server) as second:
            second.execute("INSERT INTO outbox VALUES (1)")
            second.execute("CREATE TABLE later (n int)")
            assert second.execute("SELECT session_user, current_user").fetchone() == (
                f"{OWNER}_a", OWNER,
            )  # fmt: skip
        with _session(folder, server, "database-url.earlier") as again:
            assert again.execute("SELECT count(*) FROM outbox").fetchone() == (1,)
        assert first.execute("SELECT count(*) FROM later").fetchone() == (0,)
        with pytest.raises(RefusedError, match="sessions: restart"):
            _rotate(folder, server, finish=True)
        with pytest.raises(RefusedError, match="not finished"):
            _rotate(folder, server)
    earlier = folder.text("database-url.earlier")
    _rotate(folder, server, finish=True)
    assert not folder.has("database-url.earlier")
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(earlier.replace("@db/", f"@127.0.0.1:{server.port}/"))
    # And on: the next one, whose sessions see the same tables.
    _rotate(folder, server)
    with _session(folder, server) as third:
        third.execute("INSERT INTO later VALUES (2)")
    old = folder.text("database-url.earlier")
    _rotate(folder, server, finish=True)
    with pytest.raises(psycopg.OperationalError):
        psycopg.connect(old.replace("@db/", f"@127.0.0.1:{server.port}/"))


def test_no_password_reaches_the_databases_log(server: Postgres, folder: Folder) -> None:
    _rotate(folder, server)
    _rotate(folder, server, finish=True)
    word = re.search(r":([^:@]+)@", folder.text("database-url"))
    assert word is not None
    assert "ROLE" in server.output
    assert word[1] not in server.output
    assert "SCRAM-SHA-256" in server.output


def test_what_fails_leaves_the_present_login_as_it_was(server: Postgres, folder: Folder) -> None:
    with server.session() as admin:
        admin.execute(f"ALTER ROLE {OWNER} NOSUPERUSER NOCREATEROLE")
    before = folder.text("database-url")
    with pytest.raises(SecretsError, match="the database refuses"):
        _rotate(folder, server)
    assert folder.text("database-url") == before
    assert folder.names() == ["database-url"]
    with _session(folder, server):
        pass
    # Somebody else may make roles.
    _rotate(folder, server, admin_url=f"postgresql://sightline@db/{OWNER}")
    with _session(folder, server) as session:
        assert session.execute("SELECT current_user").fetchone() == (OWNER,)


def test_a_database_that_lets_nobody_in_is_said_so_without_the_password(
    server: Postgres, folder: Folder
) -> None:
    folder.write("database-url", f"postgresql://{OWNER}:{WRONG}@db/{OWNER}".encode())
    with pytest.raises(UnreachableError) as caught:
        _rotate(folder, server)
    assert WRONG not in json.dumps(str(caught.value))
