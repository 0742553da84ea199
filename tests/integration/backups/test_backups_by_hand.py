"""The rest of `sightline backups` as somebody types it: list, verify, prune, swap, drill."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import select
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from test_backups_commands import PROGRAM, backups, complaint

from buckets import Buckets
from running import wait_for
from sightline.backups.folder import FolderTarget
from sightline.cli import exits
from sites import Site, create
from stores import commit, event, frame


@pytest.fixture
def site(tmp_path: Path) -> Site:
    site = Site("sqlite", tmp_path, None)
    site.fill()
    return site


def old(site: Site, days: float) -> str:
    """One that was made so many days ago; its id."""
    moment = datetime.now(UTC) - timedelta(days=days)
    place, _ = create(site.database(), site.folder / "backups", now=lambda: moment)
    return place.name


def test_in_a_bucket_encrypted_locked_listed_and_proven(
    site: Site, s3: Buckets, tmp_path: Path, key: tuple[str, Path]
) -> None:
    bucket = s3.create(locks=True)
    public, identity = key
    place, how = bucket.where, s3.options()
    made = backups(
        "create", "--database", site.url, "--target", place, *how, "--recipient", public,
        "--object-lock-days", "7", "--json",
    )  # fmt: skip
    assert made.returncode == exits.OK, made.stderr
    told = json.loads(made.stdout)
    assert told["location"] == f"{place}/{told['id']}"
    assert told["encryption"]["recipients"] == [public]
    verified = backups(
        "verify", "--from", told["location"], *how, "--identity", identity, "--database", site.url,
        "--scratch", tmp_path, "--json",
    )  # fmt: skip
    assert verified.returncode == exits.OK, verified.stderr
    listed = backups("list", "--target", place, *how, "--json")
    (found,) = json.loads(listed.stdout)["backups"]
    assert (found["id"], found["state"]) == (told["id"], "whole")
    assert found["verification"] == json.loads(verified.stdout)
    assert found["locked_until"] > datetime.now(UTC).isoformat()
    lines = backups("list", "--target", place, *how).stdout.splitlines()
    assert len(lines) == 2
    assert " yes " in lines[1]


def test_what_nobody_can_decrypt_is_told(site: Site, tmp_path: Path, key: tuple[str, Path]) -> None:
    public, _ = key
    keys = tmp_path / "recipients"
    keys.write_text(f"# of the site\n{public}\n")
    target = tmp_path / "b"
    made = backups("create", "--database", site.url, "--target", target, "--recipients-file", keys)
    assert made.returncode == exits.OK, made.stderr
    done = backups("verify", "--from", target)
    assert done.returncode == exits.FAILED
    assert public in complaint(done)
    assert "--identity" in complaint(done)


@pytest.mark.parametrize("given", ["age1nonsense", "AGE-SECRET-KEY-1NONSENSE"])
def test_a_key_that_is_no_public_one_is_told_before_anything_is_done(
    site: Site, tmp_path: Path, given: str
) -> None:
    done = backups(
        "create", "--database", site.url, "--target", tmp_path / "b", "--recipient", given
    )
    assert done.returncode == exits.FAILED
    assert "public" in complaint(done)
    assert "NONSENSE" not in done.stderr
    assert not (tmp_path / "b").exists()


def test_prune_says_what_it_would_do_then_does_it_and_the_database_hears_of_it(site: Site) -> None:
    names = [old(site, days) for days in (40, 3, 2, 1)]
    target = site.folder / "backups"
    rule = ["--keep-last", "1", "--keep-daily", "2", "--keep-weekly", "0", "--keep-monthly", "0"]
    shown = backups("prune", "--target", target, *rule, "--dry-run", "--json")
    plan = json.loads(shown.stdout)["plan"]
    assert [each["id"] for each in plan] == names[:2]
    assert len(FolderTarget(target).found()) == 4
    asked = backups("prune", "--target", target, *rule)
    assert asked.returncode == exits.USAGE
    assert "--yes" in complaint(asked)
    done = backups("prune", "--target", target, *rule, "--yes", "--database", site.url, "--json")
    assert json.loads(done.stdout)["removed"] == names[:2]
    assert [each.id for each in FolderTarget(target).found()] == names[2:]
    store = site.store()
    with store._database.reading("look") as cursor:
        cursor.execute("SELECT id FROM backups WHERE deleted_at IS NOT NULL ORDER BY id")
        assert [name for (name,) in cursor.fetchall()] == names[:2]
    store.close()


def test_a_backup_and_then_what_no_rule_keeps_goes(site: Site) -> None:
    name = old(site, 40)
    done = backups(
        "create", "--database", site.url, "--target", site.folder / "backups", "--prune",
        "--keep-monthly", "0", "--keep-weekly", "0", "--keep-daily", "0", "--keep-last", "1",
        "--json",
    )  # fmt: skip
    assert done.returncode == exits.OK, done.stderr
    assert json.loads(done.stdout)["pruned"] == [name]


def newer(site: Site) -> None:
    store = site.store()
    commit(store, frame("newer", event(0)))
    store.close()


def test_a_swap_wants_the_databases_name_typed(site: Site) -> None:
    old(site, 0)
    newer(site)
    name = Path(site.url).name
    swap = ("restore", "--swap", "--from", site.folder / "backups", "--database", site.url)
    refused = backups(*swap)
    assert "--discard-newer 1" in complaint(refused)
    refused = backups(*swap, "--discard-newer", "1", "--yes")
    assert refused.returncode == exits.USAGE
    assert f"--confirm {name}" in complaint(refused)
    wrong = backups(*swap, "--discard-newer", "1", "--confirm", "another")
    assert wrong.returncode == exits.USAGE
    shown = backups(*swap, "--discard-newer", "1", "--dry-run", "--json")
    assert json.loads(shown.stdout)["plan"][-1]["step"] == "swap"
    store = site.store()
    assert store.head() == 9
    store.close()
    done = backups(*swap, "--discard-newer", "1", "--confirm", name, "--json")
    assert done.returncode == exits.OK, done.stderr
    told = json.loads(done.stdout)
    assert told["discarded"] == 1
    assert (site.folder / told["kept"]).exists()


@pytest.mark.parametrize(("typed", "code"), [("right", exits.OK), ("wrong", exits.FAILED)])
def test_on_a_terminal_it_is_asked_for(site: Site, typed: str, code: int) -> None:
    old(site, 0)
    name = Path(site.url).name
    terminal, its = pty.openpty()
    command = [*PROGRAM, "restore", "--swap", "--from", str(site.folder / "backups"),
               "--database", site.url]  # fmt: skip
    running = subprocess.Popen(command, stdin=its, stderr=its, stdout=subprocess.DEVNULL)
    os.close(its)
    seen = b""

    def asked() -> bool:
        nonlocal seen
        if select.select([terminal], [], [], 0.1)[0]:
            # A terminal whose last writer is gone is an error.
            with contextlib.suppress(OSError):
                seen += os.read(terminal, 65_536)
        return f"Type '{name}' to go on".encode() in seen

    try:
        wait_for(asked, what=f"the question, after {seen!r}")
        os.write(terminal, f"{name if typed == 'right' else 'gateway'}\n".encode())
        wait_for(lambda: asked() and running.poll() is not None, what="its end")
        assert running.returncode == code
    finally:
        running.kill()
        os.close(terminal)


def test_a_drill_is_a_report(site: Site) -> None:
    old(site, 0.5)
    newer(site)
    folder = site.folder / "reports"
    done = backups(
        "drill", "--target", site.folder / "backups", "--database", site.url, "--report", folder,
        "--rpo", "26h", "--rto", "5m", "--json",
    )  # fmt: skip
    assert done.returncode == exits.OK, done.stderr
    told = json.loads(done.stdout)
    assert told["rpo_events"] == 1
    assert 12 * 3600 <= told["rpo_seconds"] < 12 * 3600 + 120
    assert told["served"]["ready_seconds"] > 0
    assert told["rto_seconds"] >= told["served"]["ready_seconds"]
    assert told["tables"]["events"] == 8
    written = {each.suffix for each in folder.iterdir()}
    assert written == {".json", ".md"}
    assert "passed" in next(folder.glob("*.md")).read_text()


def test_a_drill_that_misses_what_was_promised_fails_and_reports(site: Site) -> None:
    old(site, 2)
    done = backups(
        "drill", "--target", site.folder / "backups", "--no-gateway", "--rpo", "26h",
        "--report", site.folder / "reports",
    )  # fmt: skip
    assert done.returncode == exits.FAILED
    assert "RPO" in complaint(done)
    assert "**failed**" in next((site.folder / "reports").glob("*.md")).read_text()


def test_a_drill_on_a_spoilt_backup_fails_and_reports(site: Site) -> None:
    name = old(site, 0)
    dump = site.folder / "backups" / name / "dump"
    dump.write_bytes(dump.read_bytes()[:-1] + b"!")
    done = backups("drill", "--target", site.folder / "backups", "--no-gateway", "--json")
    assert done.returncode == exits.FAILED
    told = json.loads(done.stdout)
    assert told["tables"] is None
    assert "SHA-256" in told["problems"][0]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "--target", "s3://"), "names no bucket"),
        (("create", "--target", "ftp://there"), "neither a folder nor s3://"),
        (("list", "--target", "/no/such/folder"), "does not exist"),
        (("prune", "--target", ".", "--keep-last", "-1"), "--keep-last"),
        (("restore", "--from", ".", "--confirm", "x"), "of --swap"),
        (("restore", "--from", ".", "--swap", "--discard-newer", "some"), "unknown"),
        (("verify", "--from", ".", "--with-own-server", "--server", "postgresql://x"), "exclude"),
    ],
)  # fmt: skip
def test_a_wrong_command_line_is_told(arguments: tuple[str, ...], words: str) -> None:
    done = backups(*arguments)
    assert done.returncode == exits.USAGE
    assert words in " ".join(done.stderr.split())


@pytest.mark.e2e
def test_a_drill_with_a_server_of_its_own(postgres: object, tmp_path: Path) -> None:
    site = Site("postgres", tmp_path, postgres)  # type: ignore[arg-type]
    site.fill()
    done = backups(
        "drill", "--create", "--target", tmp_path / "backups", "--database", site.url,
        "--with-own-server", "--json",
    )  # fmt: skip
    assert done.returncode == exits.OK, done.stderr
    told = json.loads(done.stdout)
    assert told["tables"]["events"] == 8
    assert told["rpo_events"] == 0
    assert told["served"]["delivered_seconds"] > 0


def test_an_environment_says_where_and_for_whom_and_what_is_typed_goes_before_it(
    site: Site, tmp_path: Path, key: tuple[str, Path]
) -> None:
    public, _ = key
    named = tmp_path / "database-url"
    named.write_text(site.url)
    file = tmp_path / "there.yaml"
    file.write_text(
        "name: there\ncluster: {context: there}\nimages: {registry: registry.example.org}\n"
        "guards: {signed_images: false}\n"
        f"backups:\n  target: {tmp_path}/theirs\n  recipients: [{public}]\n"
        f"  database_file: {named}\n"
    )
    made = backups("create", "--env", file, "--json")
    assert made.returncode == exits.OK, made.stderr
    told = json.loads(made.stdout)
    assert Path(told["location"]).parent == tmp_path / "theirs"
    assert told["encryption"]["recipients"] == [public]
    made = backups("create", "--env", file, "--target", tmp_path / "mine", "--database", site.url)
    assert made.returncode == exits.OK, made.stderr
    assert len(FolderTarget(tmp_path / "mine").found()) == 1
    listed = backups("list", "--env", file, "--json")
    assert [each["id"] for each in json.loads(listed.stdout)["backups"]] == [told["id"]]
