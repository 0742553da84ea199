"""README.md of each module, from its code."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from cloud.hcl import ROOT, Block, blocks

ABOUT = {
    "bootstrap": (
        "bootstrap",
        "What must be there before Terraform can keep its state: a bucket with versions, which takes"
        " the lock as a file (`use_lockfile`), and its key; and two rules for the whole account."
        " Applied once for each account: [the tutorial](../../../docs/tutorials/from-an-empty-account.md).",
    ),
    "modules/platform": (
        "platform",
        "One environment out of the five modules beside it: sizes from [sizes.csv](../../sizes.csv),"
        " what prod may not be, and one output with all that releases and the chart need.",
    ),
    "modules/vpc": (
        "vpc",
        "The network: public, private and database subnets in each zone, NAT gateways, endpoints of AWS'"
        " services, flow logs. The default security group lets nothing through; the database's subnets"
        " have no way out.",
    ),
    "modules/eks": (
        "eks",
        "The cluster: API from inside and from named networks alone, access entries instead of a"
        " ConfigMap, Secrets encrypted with a key of ours, all logs of the control plane, managed node"
        " groups over the zones (IMDSv2 alone), pinned add-ons, Pod Identity.",
    ),
    "modules/rds": (
        "rds",
        "PostgreSQL: encrypted, TLS alone, to be brought back to any second, reached by the nodes alone,"
        " with a master password that RDS makes, keeps and changes.",
    ),
    "modules/s3": (
        "s3",
        "The bucket for backups: versions, object lock, one key, TLS alone, access logs, and a copy in"
        " another region where that is wanted.",
    ),
    "modules/iam": (
        "iam",
        "Who may do what: roles with a boundary, keys with rotation, repositories for images, and who is"
        " told of costs and alarms.",
    ),
}
HEAD = "<!-- Written from the code by `make terraform-reference`; do not edit. -->\n"


def folders() -> tuple[str, ...]:
    """Of modules, below deploy/terraform."""
    return tuple(ABOUT)


def page(folder: str, root: Path = ROOT) -> str:
    """The README of one."""
    title, about = ABOUT[folder]
    found = list(blocks(root / folder))
    parts = [f"# {title}\n\n{HEAD}\n{about}\n"]
    parts += _variables([each for each in found if each.kind == "variable"])
    parts += _refusals([each for each in found if each.kind in ("variable", "resource")])
    parts += _outputs([each for each in found if each.kind == "output"])
    parts += _resources(found)
    return "\n".join(parts).rstrip() + "\n"


def _variables(variables: list[Block]) -> list[str]:
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
    modules = [each.name for each in found if each.kind == "module"]
    if modules:
        links = ", ".join(f"[{each}](../{each}/README.md)" for each in modules)
        parts += [f"Modules: {links}.", ""]
    return parts
