"""README.md of each module, from its code."""

from __future__ import annotations

from collections import Counter
from itertools import takewhile
from pathlib import Path

from cloud.hcl import ROOT, Block, blocks

HEAD = "<!-- Written from the code by `make terraform-reference`; do not edit. -->\n"


def folders(root: Path = ROOT) -> tuple[str, ...]:
    """Of modules, below deploy/terraform."""
    modules = (each.relative_to(root) for each in sorted((root / "modules").iterdir()))
    return ("bootstrap", *(each.as_posix() for each in modules))


def page(folder: str, root: Path = ROOT) -> str:
    """The README of one. What it is about is the comment at the head of its versions.tf."""
    lines = (root / folder / "versions.tf").read_text(encoding="utf-8").splitlines()
    about = " ".join(line[2:] for line in takewhile(lambda line: line.startswith("# "), lines))
    found = list(blocks(root / folder))
    parts = [f"# {Path(folder).name}\n\n{HEAD}\n{about}\n"]
    parts += _variables([each for each in found if each.kind == "variable"])
    parts += _refusals([each for each in found if each.kind in ("variable", "resource")])
    parts += _outputs([each for each in found if each.kind == "output"])
    parts += _resources(found)
    return "\n".join(parts).rstrip() + "\n"


def _variables(variables: list[Block]) -> list[str]:
    if not variables:
        return []
    rows = [
        f"| `{each.name}` | {_type(each)} | {_default(each)} | {_cell(each.text('description'))} |"
        for each in sorted(variables, key=lambda each: each.argument("default") is not None)
    ]
    return [
        "## What it takes\n",
        "| variable | type | default | meaning |\n|---|---|---|---|",
        *rows,
        "",
    ]


def _type(variable: Block) -> str:
    given = variable.argument("type") or "any"
    return f"`{given.split('(')[0]}`" if "object" in given else f"`{given}`"


def _default(variable: Block) -> str:
    given = variable.argument("default")
    if given is None:
        return "**required**"
    return "none" if given in ("null", "[]", "{}", '""') else f"`{given}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _refusals(found: list[Block]) -> list[str]:
    rows = [f"- `{each.name}`: {said}" for each in found for said in each.sentences]
    return ["## What it refuses, before anything is made\n", *rows, ""] if rows else []


def _outputs(outputs: list[Block]) -> list[str]:
    rows = [f"| `{each.name}` | {_cell(each.text('description'))} |" for each in outputs]
    return ["## What it gives\n", "| output | meaning |\n|---|---|", *rows, ""]


def _resources(found: list[Block]) -> list[str]:
    parts = []
    counted = Counter(each.labels[0] for each in found if each.kind == "resource")
    if counted:
        rows = [f"| `{kind}` | {number} |" for kind, number in sorted(counted.items())]
        parts += ["## What it makes\n", "| resource | blocks |\n|---|---|", *rows, ""]
    modules = [each for each in found if each.kind == "module"]
    if modules:
        links = ", ".join(f"[{each.name}]({each.text('source')}/README.md)" for each in modules)
        parts += [f"Modules: {links}.", ""]
    return parts
