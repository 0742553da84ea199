"""The screen about an environment: what is said, and what somebody should look at."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from fakes.colours import FakeCluster, Time
from fakes.releases import ENVIRONMENT, FakeBudget, Site
from sightline.cli.status import _show
from sightline.messages.sink import SinkList, SinkState
from sightline.releases.budget import Served
from sightline.situation import situation
from sightline.situation.looking import backup, look
from sightline.situation.situation import Backup, Situation, concerns

NOW = datetime(2026, 11, 26, 9, 0, tzinfo=UTC)
WELL = Situation(
    environment="prod", namespace="detection-system", at=NOW, objective=0.999,
    served=Served(requests=10_000, failures=1),
    backup=Backup(finished=NOW - timedelta(hours=7), verified=NOW - timedelta(days=2)),
)  # fmt: skip


def sink(**also: object) -> SinkState:
    plain = {
        "name": "tak", "target": "tls://tak:8089", "state": "connected", "acknowledges": True,
        "cursor": 9, "sent_cursor": 9, "lag_events": 0, "lag_seconds": 0.0, "sent": 9,
        "acknowledged": 9, "reconnects": 0,
    }  # fmt: skip
    return msgspec.convert({**plain, **also}, SinkState)


def test_nothing_to_look_at_where_all_is_well() -> None:
    assert concerns(msgspec.structs.replace(WELL, sinks=(sink(),))) == ()


@pytest.mark.parametrize(
    ("changed", "check", "told"),
    [
        ({"served": Served(requests=1000, failures=2)}, "errors", "99.800%"),
        ({"backup": Backup()}, "backup", "there is none"),
        ({"backup": Backup(finished=NOW - timedelta(hours=27), verified=NOW)}, "backup", "27 h"),
        ({"backup": Backup(finished=NOW)}, "backup", "none was ever restored"),
        ({"backup": Backup(finished=NOW, verified=NOW - timedelta(days=9))}, "backup", "9 days"),
        ({"unknown": {"Git": "git fetch failed"}}, "Git", "not known: git fetch failed"),
        ({"sinks": (sink(state="broken", last_error="refused"),)}, "sink tak", "broken: refused"),
        ({"sinks": (sink(lag_events=7, lag_seconds=90.0),)}, "sink tak", "7 events behind"),
        ({"sinks": (sink(dead_letters=3),)}, "sink tak", "3 dead letters"),
        (
            {"sinks": (sink(certificate_expires_at=(NOW + timedelta(days=5)).isoformat()),)},
            "sink tak", "5 days",
        ),
    ],
)  # fmt: skip
def test_what_is_not_well_is_named(changed: dict[str, object], check: str, told: str) -> None:
    (found,) = concerns(msgspec.structs.replace(WELL, **changed))
    assert found.check == check
    assert told in found.sentence


PAGE = """\
sightline_backup_last_success_timestamp_seconds{version="1",colour="blue"} 1.7642304e+09
sightline_backup_last_verified_timestamp_seconds{version="1",colour="blue"} NaN
sightline_backup_last_size_bytes{version="1",colour="blue"} 12345.0
"""


def test_backups_are_read_from_a_page_of_metrics() -> None:
    assert backup(PAGE) == Backup(
        finished=datetime.fromtimestamp(1.7642304e9, UTC), verified=None, size_bytes=12345
    )
    assert backup("") == Backup()


class Pods:
    """A gateway's answers, some of which it refuses."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused

    def call(self, component, name, method, path):  # type: ignore[no-untyped-def]
        if path in self.refused:
            return 500, b"{}"
        if path == "/metrics":
            return 200, PAGE.encode()
        return 200, msgspec.json.encode(SinkList(sinks=(sink(),)))


@pytest.fixture
def site() -> Site:
    site = Site(FakeCluster(Time()), ENVIRONMENT)
    site.budget = FakeBudget((1000, 0))
    site.repository.file = {"activeColour": "blue"}
    return site


def test_all_of_it_is_learnt_and_shown(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    seen = look(site.desk()._world, Pods())
    assert seen.unknown == {}
    assert seen.git_active == "blue"
    assert seen.active() == {"cop-gateway": "blue", "detection": "blue"}
    _show(seen)
    said = capsys.readouterr().out
    for part in (
        "cop-gateway-blue",
        "tak",
        "connected",
        "100.000% of 1000",
        "never",
        "blue serves",
    ):
        assert part in said
    document = json.loads(msgspec.json.encode(situation.document(seen)))
    assert document["availability"] == 1.0
    assert [each["check"] for each in document["concerns"]] == ["backup", "backup"]


def test_what_cannot_be_learnt_is_told_and_the_rest_is_shown(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    site.repository.gone = True
    site.budget.gone = True
    seen = look(site.desk()._world, Pods("/v1/sinks"))
    assert set(seen.unknown) == {"Git", "errors", "sinks"}
    _show(seen)
    said = capsys.readouterr().out
    assert "cop-gateway-blue" in said
    assert "not known" in said


def test_git_that_says_another_colour_is_drift(site: Site) -> None:
    site.repository.file = {"activeColour": "green"}
    found = concerns(look(site.desk()._world, Pods()))
    assert [each.sentence for each in found if each.check == "drift"] == [
        "Git says green, and blue serves users"
    ]
