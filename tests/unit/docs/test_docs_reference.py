"""The pages that are written from the code say what the code says."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "docs/reference"


@pytest.fixture(scope="module")
def write() -> ModuleType:
    spec = importlib.util.spec_from_file_location("write", REFERENCE / "write.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_committed_settings_page_is_the_generated_one(write: ModuleType) -> None:
    committed = (REFERENCE / "settings.md").read_text(encoding="utf-8")
    assert committed == write.settings(), "run `make reference` and commit"


def test_every_setting_says_what_it_means(write: ModuleType) -> None:
    rows = [line for line in write.settings().splitlines() if line.startswith("| `")]
    assert len(rows) > 40
    assert [row for row in rows if row.rstrip("| ").count("|") < 3 or row.endswith("|  |")] == []


@pytest.mark.parametrize(
    "page", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("[dm]*/**/*.md")), ids=str
)
def test_links_within_the_documentation_lead_somewhere(page: Path) -> None:
    text = re.sub(r"`[^`]*`", "", page.read_text(encoding="utf-8"))
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []
