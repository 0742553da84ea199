"""`sightline backups` as somebody types it, and as a Job runs it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from relays import leading
from running import free_port, wait_for
from sightline.cli import exits
from sites import Site, fill
from stores import commit, event, frame

PROGRAM = [
    sys.executable, "-c",
    "import sys; from sightline.cli.main import main; sys.argv[0] = 'sightline'; main()", "backups",
]  # fmt: skip


def backups(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *map(str, arguments)], capture_output=True, text=True, timeout=60, check=False
    )


def complaint(done: subprocess.CompletedProcess[str]) -> str:
    (sentence,) = [each for each in done.stderr.splitlines() if each.startswith("sightline: ")]
    return sentence


def test_a_backup_and_its_restore_as_documents(filled, tmp_path):
    named = tmp_path / "database-url"
    named.write_text(f"{filled.url}\n")
    done = backups("create", "--database-file", named, "--target", tmp_path / "b", "--json",
                   "--schedule-name", "sightline-backups")  # fmt: skip
    assert done.returncode == exits.OK, done.stderr
    made = json.loads(done.stdout)
    assert Path(made["folder"]).parent == tmp_path / "b"
    assert made["schedule"] == "sightline-backups"
    named.write_text(filled.new())
    done = backups("restore", "--from", tmp_path / "b", "--database-file", named, "--json")
    assert done.returncode == exits.OK, done.stderr
    back = json.loads(done.stdout)
    assert (back["id"], back["tables"]) == (made["id"], made["tables"])


def test_lines_for_people_tell_each_tables_rows(filled, tmp_path):
    done = backups("create", "--database", filled.url, "--target", tmp_path)
    assert done.returncode == exits.OK, done.stderr
    assert ["events", "8"] in [each.split() for each in done.stdout.splitlines()]


def test_a_sqlite_file_can_be_named_itself(tmp_path):
    site = Site("sqlite", tmp_path, None)
    store = site.store()
    fill(store)
    file = site.url.removeprefix("sqlite:///")
    done = backups("create", "--database-file", file, "--target", tmp_path / "b")
    store.close()
    assert done.returncode == exits.OK, done.stderr


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--database", "postgresql://a:b@127.0.0.1/x"], exits.USAGE, "--database-file"),
        (["--database", "mysql://x"], exits.USAGE, "sqlite:///FILE or postgresql://"),
        ([], exits.USAGE, "say which database"),
        (["--database-file", "/no/such/file"], exits.FAILED, "No such file"),
        (["--database", "sqlite:////no/such.db"], exits.FAILED, "does not exist"),
        (["--database", "postgresql://127.0.0.1:1/x"], exits.FAILED, "127.0.0.1:1/x"),
    ],
)
def test_what_cannot_be_is_a_sentence(tmp_path, arguments, code, words):
    done = backups("create", *arguments, "--target", tmp_path)
    assert done.returncode == code
    assert words in complaint(done)
    assert list(tmp_path.iterdir()) == []


def test_a_database_that_does_not_answer_yet_is_waited_for(postgres, tmp_path):
    site = Site("postgres", tmp_path, postgres)
    site.fill()
    parts = urlsplit(site.url)
    port = free_port()
    later = site.url.replace(f":{parts.port}/", f":{port}/")
    command = [*PROGRAM, "create", "--wait", "30s", "--database", later, "--target", str(tmp_path)]
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        time.sleep(1.5)
        assert running.poll() is None
        with leading(port, to=parts.port):
            _, said = running.communicate(timeout=30)
    finally:
        running.kill()
    assert running.returncode == exits.OK, said


def test_a_job_that_is_over_its_time_writes_down_that_it_ended(postgres, tmp_path):
    site = Site("postgres", tmp_path, postgres)
    store = site.store()
    commit(store, frame("f", event(0)))
    slow = tmp_path / "tools"
    slow.mkdir()
    (slow / "pg_restore").symlink_to("/bin/true")
    (slow / "pg_dump").write_text(
        '#!/bin/sh\n[ "$1" = --version ] && { echo "pg_dump (PostgreSQL) 99.0"; exit; }\n'
        "exec sleep 60\n"
    )
    (slow / "pg_dump").chmod(0o755)
    command = [*PROGRAM, "create", "--database", site.url, "--target", str(tmp_path / "b"),
               "--postgres-tools", str(slow)]  # fmt: skip
    running = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    try:
        wait_for(lambda: list((tmp_path / "b").glob(".*.partial")), what="the dump to begin")
        time.sleep(0.3)
        running.send_signal(signal.SIGTERM)
        _, said = running.communicate(timeout=30)
    finally:
        running.kill()
    assert running.returncode == exits.INTERRUPTED
    assert "there is no backup" in said
    assert list((tmp_path / "b").iterdir()) == []
    with store._database.reading("look") as cursor:
        cursor.execute("SELECT error, finished_at FROM backups")
        error, finished = cursor.fetchone()
    store.close()
    assert error == "interrupted"
    assert finished is not None
