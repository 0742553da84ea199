"""`python -m cloud outputs NAME` and `python -m cloud reference`, from the top of a checkout."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

from cloud import outputs, readmes
from cloud.hcl import ROOT
from cloud.pages import written
from sightline.environments import EnvironmentFileError
from sightline.environments.reading import parse

CHECKOUT = ROOT.parents[1]


def main() -> int:
    """Do what was asked."""
    parser = argparse.ArgumentParser(prog="python -m cloud", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    taken = commands.add_parser("outputs", help="write environments/NAME.yaml and chart values")
    taken.add_argument("environment", choices=("dev", "staging", "prod"))
    taken.add_argument("--from", dest="file", type=Path, help="`terraform output -json` in a file")
    taken.add_argument("--checkout", type=Path, default=CHECKOUT, help="where to write")
    commands.add_parser("reference", help="write READMEs and tables anew")
    given = parser.parse_args()
    if given.command == "reference":
        return _reference()
    try:
        return _outputs(given.environment, given.file, given.checkout)
    except (EnvironmentFileError, OSError, KeyError, ValueError) as error:
        print(f"nothing is written: {error}", file=sys.stderr)
        return 1


def _reference() -> int:
    for path, text in written().items():
        path.write_text(text, encoding="utf-8")
    print(f"{len(readmes.folders())} READMEs and the tables are written")
    return 0


def _outputs(name: str, file: Path | None, checkout: Path) -> int:
    given = _given(name, file)
    if given["environment"] != name:
        raise ValueError(f"these are outputs of {given['environment']}, and {name} was asked for")
    environment = checkout / f"environments/{name}.yaml"
    values = checkout / f"environments/cloud/{name}.yaml"
    text = outputs.environment_file(
        environment.read_text(encoding="utf-8"),
        given,
        values_path=values.relative_to(checkout).as_posix(),
    )
    # Refused before anything is written, if it is not what commands can read.
    parse(text, where=str(environment))
    values.parent.mkdir(exist_ok=True)
    values.write_text(outputs.values_file(given), encoding="utf-8")
    environment.write_text(text, encoding="utf-8")
    for path in (environment, values):
        print(f"wrote {path.relative_to(checkout)}: look at `git diff`, and commit it")
    print(outputs.next_steps(given))
    return 0


def _given(name: str, file: Path | None) -> dict[str, Any]:
    if file is None:
        folder = ROOT / "environments" / name
        done = subprocess.run(
            ["terraform", f"-chdir={folder}", "output", "-json"],
            check=False, capture_output=True, text=True,
        )  # fmt: skip
        if done.returncode != 0:
            raise ValueError(f"terraform output failed in {folder}: {done.stderr.strip()}")
        text = done.stdout
    else:
        text = file.read_text(encoding="utf-8")
    found = json.loads(text)
    if "sightline" not in found:
        raise ValueError(f"there is no output `sightline`: apply {name} first")
    taken: dict[str, Any] = found["sightline"]["value"]
    return taken


if __name__ == "__main__":
    sys.exit(main())
