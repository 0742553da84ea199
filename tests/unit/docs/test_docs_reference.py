"""The pages that are written from the code say what the code says."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

import pytest

from detection.layouts import LAYOUTS
from detection.models import form, onnx_file
from detection.models.manifest import Entry, Pixels
from detection.settings import Settings

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


def test_the_committed_page_about_models_has_the_fields_and_layouts_that_there_are(
    write: ModuleType,
) -> None:
    committed = (REFERENCE / "models.md").read_text(encoding="utf-8")
    assert committed == write.models(), "run `make reference` and commit"
    fields = {line.split("`")[1] for line in committed.splitlines() if line.startswith("| `")}
    assert {*Entry.__struct_fields__, *Pixels.__struct_fields__, *LAYOUTS} <= fields


def test_the_page_about_models_has_the_limits_that_there_are() -> None:
    page = (REFERENCE / "models.md").read_text(encoding="utf-8")
    for limit in (
        f"operator set {onnx_file.MIN_OPSET}",
        f"{onnx_file.MAX_TENSORS} inputs",
        f"{onnx_file.MAX_RANK} axes",
        f"{onnx_file.MAX_TENSOR_MEBIBYTES} MiB",
        f"{form.MAX_SIDE} pixels",
        f"{form.MAX_BATCH} images",
        f"{Settings(models='.').max_model_megabytes:.0f} MB",
    ):
        assert limit in page


def test_every_setting_says_what_it_means(write: ModuleType) -> None:
    rows = [line for line in write.settings().splitlines() if line.startswith("| `")]
    assert len(rows) > 40
    assert [row for row in rows if row.rstrip("| ").count("|") < 3 or row.endswith("|  |")] == []


def test_a_setting_that_takes_words_or_a_number_says_both(write: ModuleType) -> None:
    (row, *_) = [line for line in write.settings().splitlines() if line.startswith("| `tiles` ")]
    for limit in ("64", "8192", "`auto`", "`off`"):
        assert limit in row


@pytest.mark.parametrize(
    "page", sorted(ROOT.glob("*.md")) + sorted(ROOT.glob("[dm]*/**/*.md")), ids=str
)
def test_links_within_the_documentation_lead_somewhere(page: Path) -> None:
    text = re.sub(r"`[^`]*`", "", page.read_text(encoding="utf-8"))
    links = re.findall(r"\]\((?!https?://|#)([^)#]+)", text)
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_the_page_and_the_schema_of_environments_are_the_codes(
    write: ModuleType,
) -> None:
    page = (REFERENCE / "environments.md").read_text(encoding="utf-8")
    assert page == write.environments_page(), "run `make reference` and commit"
    schema = (write.ROOT / "environments/schema.json").read_text(encoding="utf-8")
    assert schema == write.environments_schema(), "run `make reference` and commit"
