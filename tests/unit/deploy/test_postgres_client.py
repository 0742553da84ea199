"""pg_dump and pg_restore for another image: they bring along all that they load."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from running import required

SCRIPT = Path(__file__).parents[3] / "deploy/images/client.sh"


@pytest.fixture(scope="module")
def collected(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if not list(Path("/usr/lib/postgresql").glob("*/bin/pg_dump")):
        required("PostgreSQL is not installed: apt-get install postgresql")
    folder = tmp_path_factory.mktemp("client") / "postgresql"
    subprocess.run(["sh", SCRIPT, folder], check=True, capture_output=True)
    return folder


@pytest.mark.parametrize("program", ["pg_dump", "pg_restore"])
def test_it_runs_where_nothing_else_is(collected, program):
    done = subprocess.run(
        [collected / "bin" / program, "--version"],
        env={}, cwd="/", capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.startswith(f"{program} (PostgreSQL) ")


@pytest.mark.parametrize("program", ["pg_dump", "pg_restore"])
def test_every_library_that_it_loads_is_its_own(collected, program):
    loader, lib = collected / "lib/ld.so", collected / "lib"
    told = subprocess.run(
        [loader, "--library-path", lib, "--list", collected / "libexec" / program],
        capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    loaded = [line.split(" => ")[1].split()[0] for line in told.splitlines() if " => /" in line]
    assert len(loaded) > 3
    # The loader itself is told under the name that programs ask for.
    assert [each for each in loaded if Path(each).parent != lib and "ld-linux" not in each] == []
