"""Everything here that is written from the code: path and text."""

from __future__ import annotations

import re
from pathlib import Path

from cloud import costs, readmes
from cloud.hcl import ROOT

PAGE = ROOT.parents[1] / "docs/reference/cloud.md"


def written() -> dict[Path, str]:
    """READMEs, and the page with its tables renewed."""
    pages = {ROOT / folder / "README.md": readmes.page(folder) for folder in readmes.folders()}
    return pages | {PAGE: renewed(PAGE.read_text(encoding="utf-8"))}


def renewed(text: str) -> str:
    """The page, with what is between its marks as the code says it now."""
    for name, table in (("sizes", costs.sizes_table()), ("costs", costs.costs_table())):
        text, found = re.subn(
            rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->)",
            lambda marks, table=table: f"{marks[1]}\n{table}\n\n{marks[2]}",
            text,
            flags=re.DOTALL,
        )
        if found != 1:
            raise ValueError(f"{PAGE.name} has no marks for {name}")
    return text
