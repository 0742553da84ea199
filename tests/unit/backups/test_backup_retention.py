"""Which backups are kept: what is promised holds for any backups and any rule."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.backups.errors import RefusedError
from sightline.backups.found import Found
from sightline.backups.manifest import Manifest
from sightline.backups.retention import Keep, judge
from sightline.backups.target import new_id
from sightline.backups.verification import Verification

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def backup(
    hours: float, *, state: str = "whole", verified: bool | None = None, locked: float = 0.0,
    source: str = "db:5432/sightline",
) -> Found:  # fmt: skip
    """One that was begun so many hours ago; locked for so many more hours."""
    begun = NOW - timedelta(hours=hours)
    name = new_id(begun)
    whole = Manifest(
        id=name, kind="postgres", source=source, started_at=begun, finished_at=begun,
        size_bytes=9, sha256="a" * 64, tables={"events": 1}, schema_version=5, head=1, tools={},
    )  # fmt: skip
    proof = Verification(
        id=name, sha256="a" * 64, verified_at=NOW, problem=None if verified else "no",
        restore_seconds=1.0, seconds={}, server="",
    )  # fmt: skip
    return Found(
        id=name,
        state=state,  # type: ignore[arg-type]
        stored_bytes=9,
        manifest=whole if state == "whole" else None,
        verification=None if verified is None or state != "whole" else proof,
        locked_until=NOW + timedelta(hours=locked) if locked else None,
    )


BACKUPS = st.lists(
    st.builds(
        backup,
        st.floats(0, 20_000),
        state=st.sampled_from(["whole", "whole", "whole", "damaged", "unfinished"]),
        verified=st.sampled_from([None, True, False]),
        locked=st.sampled_from([0.0, 0.0, -5.0, 5.0]),
        source=st.sampled_from(["blue", "green"]),
    ),
    max_size=12,
    unique_by=lambda each: each.id,
)
COUNTS = st.integers(0, 5)
KEEPS = st.tuples(COUNTS, COUNTS, COUNTS, COUNTS).filter(any).map(
    lambda each: Keep(last=each[0], daily=each[1], weekly=each[2], monthly=each[3])
)  # fmt: skip


@settings(max_examples=50)
@given(BACKUPS, KEEPS, st.booleans())
def test_what_cannot_be_missed_is_never_removed(found, keep, damaged):
    judged = judge(found, keep, now=NOW, damaged=damaged)
    assert [each.id for each in judged] == sorted(each.id for each in found)
    gone = {each.id for each in judged if not each.kept}
    for source in ("blue", "green"):
        whole = [each for each in found if each.manifest and each.manifest.source == source]
        whole.sort(key=lambda each: (each.manifest.started_at, each.id))
        good = [each for each in whole if each.verified]
        assert not gone & {each.id for each in (*whole[-1:], *good[-1:])}
    assert not gone & {each.id for each in found if each.locked_until and each.locked_until > NOW}
    if not damaged:
        assert not gone & {each.id for each in found if each.state != "whole"}
    assert all(each.reason for each in judged)


@settings(max_examples=50)
@given(BACKUPS, KEEPS)
def test_pruning_again_removes_nothing_more(found, keep):
    gone = {each.id for each in judge(found, keep, now=NOW) if not each.kept}
    left = [each for each in found if each.id not in gone]
    assert all(each.kept for each in judge(left, keep, now=NOW))


def kept(found: list[Found], **keep: int) -> list[float]:
    """How many hours ago those that are kept were begun, by a rule alone."""
    rule = Keep(**{"last": 0, "daily": 0, "weekly": 0, "monthly": 0, **keep})
    judged = {each.id: each.kept for each in judge(found, rule, now=NOW)}
    return [
        (NOW - each.manifest.started_at).total_seconds() / 3600
        for each in found
        if each.manifest and judged[each.id]
    ]


HOURLY = [backup(hours) for hours in range(24 * 70)]


def test_the_newest_few_are_kept():
    assert kept(HOURLY, last=3) == [0, 1, 2]


def test_of_each_day_the_newest_is_kept():
    # It is noon: yesterday's newest was begun at 23:00, 13 hours ago.
    assert kept(HOURLY, daily=3) == [0, 13, 37]


def test_of_each_week_the_newest_is_kept():
    # A Thursday at noon: the week before ended on Sunday at 23:00.
    assert kept(HOURLY, weekly=3) == [0, 13 + 3 * 24, 13 + 10 * 24]


def test_of_each_month_the_newest_is_kept():
    # The 26th at noon: October ended 25 days and 13 hours ago.
    assert kept(HOURLY, monthly=2) == [0, 13 + 25 * 24]


def test_a_day_without_a_backup_costs_no_older_one():
    found = [backup(0), backup(24 * 5), backup(24 * 9)]
    assert kept(found, daily=3) == [0, 24 * 5, 24 * 9]


def test_what_is_no_backup_is_named_and_goes_only_where_that_is_meant():
    found = [backup(100, state="damaged"), backup(90, state="unfinished"), backup(1)]
    careful = judge(found, Keep(), now=NOW)
    assert all(each.kept for each in careful)
    assert "--damaged" in careful[0].reason
    assert "--damaged" in careful[1].reason
    assert [each.kept for each in judge(found, Keep(), now=NOW, damaged=True)] == [
        False, False, True,
    ]  # fmt: skip


def test_one_that_may_be_under_way_stays_whatever_is_asked():
    (verdict,) = judge([backup(23, state="unfinished")], Keep(), now=NOW, damaged=True)
    assert verdict.kept
    assert "under way" in verdict.reason


@pytest.mark.parametrize("how", [{}, {"last": -1, "daily": 3}])
def test_a_rule_that_keeps_nothing_is_none(how):
    with pytest.raises(RefusedError):
        Keep(**{"last": 0, "daily": 0, "weekly": 0, "monthly": 0, **how})
