"""Runbooks: one for each alert, in one shape, with names and commands that exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import cop_gateway.web.api
import detection.web.api
import series
from alerting import ROOT, RULES, RUNBOOKS, alerts
from serving import drain, probes
from sightline.cli.main import COMMANDS

NAMES = [each.name for each in alerts()]
PAGES = sorted(RUNBOOKS.glob("Sightline*.md"))
HEADINGS = ["What it means", "Look first", "Causes", "Mend", "Over when", "Wake"]
README = (RUNBOOKS / "README.md").read_text(encoding="utf-8")
PROGRAMS = {
    "ask", "query", "logs", "curl", "docker", "kubectl", "psql", "sqlite3", "sightline", "amtool",
    "df", "date",
}  # fmt: skip


def commands(page: Path) -> list[str]:
    (block,) = re.findall(r"```sh\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)
    return block.splitlines()


def test_there_is_one_for_each_alert_and_the_list_has_them_all() -> None:
    assert [page.stem for page in PAGES] == sorted(NAMES)
    listed = re.findall(r"\[(Sightline\w+)\]\((Sightline\w+)\.md\) \| (\w+)", README)
    severities = {each.name: each.labels["severity"] for each in alerts()}
    assert {(name, link, severity) for name, link, severity in listed} == {
        (name, name, severities[name]) for name in NAMES
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_it_has_its_parts_in_their_order_and_is_short(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert text.startswith(f"# {page.stem}\n")
    assert re.findall(r"^## (.*)$", text, re.MULTILINE) == HEADINGS
    for part in re.split(r"^## .*$", text, flags=re.MULTILINE)[1:]:
        assert part.strip()
    # Nobody reads more than a page at night.
    assert len(text.splitlines()) <= 60
    prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
    assert max(len(line) for line in prose.splitlines() if "`" not in line) <= 100


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_its_commands_are_known(page: Path) -> None:
    told = commands(page)
    assert 2 <= len(told) <= 6
    for line in told:
        assert line.split()[0] in PROGRAMS, line
    for command in re.findall(r"sightline (\w+)", "\n".join(told)):
        assert command in COMMANDS


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_calls_that_it_makes_are_there(page: Path) -> None:
    described = {
        "DETECTION": detection.web.api.API.operations,
        "GATEWAY": cop_gateway.web.api.API.operations,
    }
    text = page.read_text(encoding="utf-8")
    for method, service, path in re.findall(r'ask (?:-X (\w+) )?\\?"\$(\w+)(/[^"?\\]*)', text):
        template = path.replace("/sinks/tak", "/sinks/{name}")
        called = (method or "GET", template)
        known = {*described[service], *probes.OPERATIONS, *drain.OPERATIONS}
        assert called in known, called


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_the_alerts_and_settings_that_it_names_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for name in re.findall(r"\b[Ss]ee ((?:[A-Z]\w+(?:, | and )?)+)", text):
        for each in re.split(r", | and ", name):
            if each not in ("", "DeadLetters"):
                assert f"Sightline{each}" in NAMES, each
    settings = (ROOT / "docs/reference/settings.md").read_text(encoding="utf-8")
    for name in re.findall(r"`([a-z]+_[a-z_]+)(?: = [^`]*)?`", text):
        if name in ANSWERS or name.startswith("sightline_"):
            continue
        assert f"`{name}`" in settings, name


ANSWERS = {
    "lag_events", "lag_seconds", "last_error", "certificate_expires_at", "camera_id", "queue_full",
    "deadline_exceeded", "store_failures", "finished_at", "sync_status", "health_status",
    "pg_stat_activity", "max_connections", "synchronous_standby_names", "dead_letters",
    "pg_dump",
}  # fmt: skip
"""What is no setting: fields of answers and tables, and names of other programs."""


def known_metrics() -> set[str]:
    names = {"sightline_log_lines_total"}
    for registry in series.registries().values():
        for family in series.families(registry):
            names.add(family.name)
            if family.kind == "histogram":
                names |= {f"{family.name}_{part}" for part in ("bucket", "sum", "count")}
    return names


def test_every_metric_of_ours_that_rules_and_runbooks_name_exists() -> None:
    known = known_metrics()
    for path in (*RULES, *PAGES, RUNBOOKS / "README.md"):
        text = path.read_text(encoding="utf-8")
        for name in re.findall(r"(?<![:\w])sightline_\w+(?![:\w])", text):
            assert name in known, f"{path.name}: {name}"
