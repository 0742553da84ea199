"""What follows from what: a real Alertmanager is given storms, and its receivers hear the cause."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from alertmanager.configuration import read
from grafana.dashboards.runbooks import rules
from notifying import Alertmanager, Inbox, Site, alert, inbox
from running import started, wait_for

VECTORS = sorted((Path(__file__).parents[1] / "vectors/alertmanager/inhibition").glob("*.yaml"))
DECLARED = {each["alert"]: each["labels"] for each in rules() if "alert" in each}
"""Severity and group of each alert, as the rule files have them."""

NAMING = ("sink", "job")


def fired(labels: dict[str, str], environment: str) -> dict[str, Any]:
    """The alert with what its rule adds; each vector is an environment of its own."""
    name = labels["alertname"]
    own = {key: value for key, value in labels.items() if key != "alertname"}
    return alert(name, **{**DECLARED[name], **own, "environment": environment})


def named(labels: dict[str, str]) -> str:
    """An alert's name and what it is about."""
    return " ".join([labels["alertname"], *(labels[each] for each in NAMING if each in labels)])


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Inbox]:
    """What comes out of all storms at once, after the last that was to come."""
    folder = tmp_path_factory.mktemp("storms")
    with inbox() as opened, started(Alertmanager(folder, Site(opened).document)) as manager:
        manager.post(*(fired(each, path.stem) for path in VECTORS for each in read(path)["fires"]))
        wait_for(lambda: opened.to("ticket"), what="tickets")
        # Tickets wait longest, and a second lot of them comes when all of the first is out.
        manager.post(alert("Last", severity="ticket", environment="last"))
        wait_for(lambda: "Last" in opened.told("ticket"), what="the last")
        yield opened


def test_there_are_storms() -> None:
    assert len(VECTORS) >= 10


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
@pytest.mark.parametrize("receiver", ["page", "ticket"])
def test_a_storm_is_told_by_its_cause(told: Inbox, path: Path, receiver: str) -> None:
    heard = [
        each
        for message in told.to(receiver)
        for each in message.body["alerts"]
        if each["labels"]["environment"] == path.stem
    ]
    assert {named(each["labels"]) for each in heard} == set(read(path)[receiver])


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_a_storm_of_one_group_is_one_message(told: Inbox, path: Path) -> None:
    wanted = read(path).get("messages")
    messages = [
        each for each in told.to("page") if each.body["groupLabels"]["environment"] == path.stem
    ]
    groups = {each.body["groupLabels"]["group"] for each in messages}
    assert len(messages) == len(groups), "one message for each group"
    assert wanted is None or len(messages) == wanted
