"""Releases: into the idle colour alone, watched, undone by themselves, resumed after any death."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
import pytest

from fakes.colours import Died, FakeCluster, Time
from fakes.releases import ENVIRONMENT, FakeBudget, Site, target
from sightline.colours.colour import COMPONENTS
from sightline.colours.errors import ColoursError
from sightline.journal import Journal
from sightline.releases import audit
from sightline.releases.errors import (
    BurningError,
    LockedError,
    LostError,
    RefusedError,
    ReleasesError,
    StoppedError,
    ToolError,
)
from sightline.releases.ports import Checkout
from sightline.releases.release import Release


def release(site: Site, version: str = "2.0", user: str = "eva", **also: object) -> Release:
    desk = site.desk(user)
    planned = desk.planned(target(version, **also), reason="a new version")
    return desk.apply(planned, Journal(seconds=site.cluster.time.seconds), reason="new").release


def whole(site: Site) -> None:
    """What must hold at any time: the audit log, who is served, no lock of the dead."""
    assert audit.flaws(site.store.log, head=None) == ()
    assert site.cluster.unready_moves == []


def test_a_release_goes_into_the_idle_colour_and_users_follow(site: Site) -> None:
    done = release(site)
    assert done.phase == "done"
    assert site.serving() == ("green", "2.0")
    assert site.cluster.versions["blue"] == "1.0"
    assert site.smoked == ["green"]
    assert site.store.held.holder is None
    assert [each.step for each in done.steps] == ["verify", "deploy", "check", "switch", "watch"]
    assert site.repository.file is not None
    assert site.repository.file["activeColour"] == "green"
    colours = site.repository.file["colours"]
    assert colours["green"]["gateway"]["image"]["tag"] == "2.0"
    assert colours["blue"]["gateway"]["image"]["tag"] == "1.0"
    assert "2.0 serves users in green" in site.notes.sentences[-1]
    assert [each.what for each in site.store.log] == [
        "release begun", "release verified", "release deployed", "release checked",
        "release switched", "release watched", "release done",
    ]  # fmt: skip
    whole(site)


def test_the_next_one_goes_into_the_other_colour(site: Site) -> None:
    release(site)
    second = release(site, "3.0")
    assert (second.colour, second.replaced) == ("blue", ("1.0",))
    assert site.serving() == ("blue", "3.0")
    assert site.cluster.versions["green"] == "2.0"
    assert [each.version for each in site.store.kept.history] == ["2.0"]


def test_what_serves_stays_as_it_is_while_the_environment_changes(site: Site) -> None:
    site.chart.files["gateway"]["settings"]["retention_days"] = 90
    planned = site.desk().planned(target(), reason="new")
    assert planned.refused == ()
    assert {each.colour for each in planned.changes if each.restarts} == {"green"}
    release(site)
    assert site.chart.values is not None
    assert site.chart.values["colours"]["blue"]["gateway"]["settings"] == {"retention_days": 30}
    assert "settings" not in site.chart.values["colours"]["green"]["gateway"]


def test_what_would_replace_pods_that_serve_is_refused(site: Site) -> None:
    site.chart.files["gateway"]["sidecar"] = True
    planned = site.desk().planned(target(), reason="new")
    assert {each.check for each in planned.refused} == {"what serves"}
    finding = planned.refused[0]
    assert "cop-gateway-blue" in finding.sentence
    before = list(site.cluster.acts)
    with pytest.raises(RefusedError):
        site.desk().apply(planned, Journal(), reason="new")
    assert site.cluster.acts == before


def test_the_first_installation_needs_no_switch(cluster: FakeCluster) -> None:
    site = Site(cluster, ENVIRONMENT, installed=False)
    done = release(site)
    assert done.phase == "done"
    assert site.serving() == ("blue", "2.0")
    assert site.cluster.versions["green"] == "2.0"


def test_errors_lead_users_back_by_themselves(site: Site) -> None:
    site.budget = FakeBudget((100, 0), (200, 1), (300, 40))
    with pytest.raises(BurningError, match="40 of 200 requests failed"):
        release(site)
    assert site.serving() == ("blue", "1.0")
    kept = site.store.kept.current
    assert kept is not None
    assert kept.phase == "rolled-back"
    assert kept.problem is not None
    assert site.repository.file is not None
    assert site.repository.file["activeColour"] == "blue"
    assert site.store.log[-1].what == "release rolled back by itself"
    assert site.store.held.holder is None
    whole(site)


def test_a_few_failures_of_many_requests_are_no_reason(site: Site) -> None:
    site.budget = FakeBudget((0, 0), (10_000, 5))
    assert release(site).phase == "done"


def test_two_failures_of_two_requests_are_no_trend(site: Site) -> None:
    site.budget = FakeBudget((0, 0), (2, 2))
    assert release(site).phase == "done"


def test_a_watch_that_sees_nothing_says_so_and_is_resumed(site: Site) -> None:
    site.budget.gone = True
    with pytest.raises(StoppedError, match="nobody knows how they fare"):
        release(site)
    assert site.serving() == ("green", "2.0")
    site.budget.gone = False
    assert site.desk().resume(Journal()).release.phase == "done"


def test_pods_that_never_come_up_stop_it_and_abort_puts_back(site: Site) -> None:
    site.cluster.troubles["cop-gateway-green-1"] = "container gateway waits: CrashLoopBackOff"
    with pytest.raises(StoppedError, match=r"green did not come up .* CrashLoopBackOff"):
        release(site)
    assert site.serving() == ("blue", "1.0")
    kept = site.store.kept.current
    assert kept is not None
    assert (kept.phase, kept.open) == ("verified", True)
    assert kept.problem is not None
    assert "CrashLoopBackOff" in kept.problem
    site.cluster.troubles.clear()
    aborted = site.desk().abort(Journal())
    assert aborted.phase == "aborted"
    assert site.cluster.versions == {"blue": "1.0", "green": "1.0"}
    assert site.serving() == ("blue", "1.0")


def test_helm_that_fails_stops_it(site: Site) -> None:
    site.chart.broken = "helm: pre-upgrade hooks failed"
    with pytest.raises(ToolError, match="pre-upgrade"):
        release(site)
    assert site.serving() == ("blue", "1.0")
    site.chart.broken = None
    assert site.desk().resume(Journal()).release.phase == "done"


@pytest.mark.parametrize("spoil", ["absent", "unsigned", "moved"])
def test_images_are_looked_at_before_anything_is_deployed(site: Site, spoil: str) -> None:
    desk, wanted = site.desk(), target()
    if spoil == "moved":
        pinned = {
            name: msgspec.structs.replace(each, digest="sha256:" + "0" * 64)
            for name, each in wanted.images.items()
        }
        wanted = msgspec.structs.replace(wanted, images=pinned)
    planned = desk.planned(wanted, reason="new")
    site.registry.there.discard("2.0" if spoil == "absent" else "")
    site.registry.signed = spoil != "unsigned"
    with pytest.raises(ReleasesError):
        desk.apply(planned, Journal(), reason="new")
    assert site.chart.deployed == []
    assert site.serving() == ("blue", "1.0")


def test_a_dirty_checkout_is_refused(site: Site) -> None:
    with pytest.raises(RefusedError) as caught:
        release(site, dirty=True)
    assert [each.check for each in caught.value.findings if each.outcome == "failed"] == [
        "checkout"
    ]
    site.repository.state = Checkout(commit=None, dirty=True)


class TestApprovals:
    def test_somebody_else_must_agree_to_exactly_this(self, strict: Callable[..., Site]) -> None:
        site = strict(1)
        planned = site.desk("eva").planned(target(), reason="new")
        assert [each.check for each in planned.refused] == ["approvals"]
        site.desk("eva").approve(planned.id)
        assert site.desk("eva").planned(target(), reason="new").refused != ()
        site.desk("ada").approve(planned.id)
        again = site.desk("eva").planned(target(), reason="new")
        assert (again.id, again.refused) == (planned.id, ())
        other = site.desk("eva").planned(target("3.0"), reason="new")
        assert other.id != planned.id
        assert other.refused != ()

    def test_one_person_counts_once(self, strict: Callable[..., Site]) -> None:
        site = strict(2)
        planned = site.desk("eva").planned(target(), reason="new")
        for _ in range(2):
            site.desk("ada").approve(planned.id)
        assert site.desk("eva").planned(target(), reason="new").refused != ()

    def test_only_those_who_may(self, strict: Callable[..., Site]) -> None:
        site = strict(1, "ada", "bob")
        planned = site.desk("eva").planned(target(), reason="new")
        with pytest.raises(RefusedError, match="eva is not one of"):
            site.desk("eva").approve(planned.id)
        site.desk("bob").approve(planned.id)
        assert release(site).approvals[0].who == "bob"

    def test_an_approval_meanwhile_does_not_stop_a_release(self, site: Site) -> None:
        desk = site.desk("ada")

        class Approving(FakeBudget):
            def count(self, colour):  # type: ignore[no-untyped-def]
                desk.approve("ffffffffffff")
                return super().count(colour)

        site.budget = Approving((1, 0))
        assert release(site).phase == "done"
        assert site.store.kept.approved("ffffffffffff") != ()


class TestTwoPeople:
    def test_the_second_is_told_who_has_the_lock(self, site: Site) -> None:
        told: list[str] = []

        class Meanwhile(FakeBudget):
            def count(self, colour):  # type: ignore[no-untyped-def]
                with pytest.raises(RefusedError) as caught:
                    release(site, "3.0", user="ada")
                told.extend(each.sentence for each in caught.value.findings)
                return super().count(colour)

        site.budget = Meanwhile((1, 0))
        assert release(site).version == "2.0"
        assert any("eva@desk" in each and "has the lock" in each for each in told)
        assert site.serving() == ("green", "2.0")

    def test_of_two_at_once_one_gets_the_lock(self, site: Site) -> None:
        first, second = site.desk("eva"), site.desk("ada")
        plans = [each.planned(target(), reason="new") for each in (first, second)]
        site.store.held = msgspec.structs.replace(
            site.store.held, holder="bob@desk", renewed=site.cluster.time.now()
        )
        with pytest.raises(LockedError, match="bob@desk"):
            first.apply(plans[0], Journal(), reason="new")
        assert site.chart.deployed == []

    def test_a_dead_holders_lock_ends(self, site: Site) -> None:
        desk = site.desk()
        site.store.held = msgspec.structs.replace(
            site.store.held, holder="bob@desk", renewed=site.cluster.time.now()
        )
        site.cluster.time.sleep(61)
        planned = desk.planned(target(), reason="new")
        assert desk.apply(planned, Journal(), reason="new").release.phase == "done"

    def test_a_rollback_breaks_the_lock_and_stops_the_release(self, site: Site) -> None:
        class Alarmed(FakeBudget):
            done = False

            def count(self, colour):  # type: ignore[no-untyped-def]
                if not self.done:
                    self.done = True
                    site.desk("ada").rollback(Journal(), reason="the map is empty")
                return super().count(colour)

        site.budget = Alarmed((1, 0))
        with pytest.raises((LostError, ColoursError)):
            release(site)
        assert site.serving() == ("blue", "1.0")
        assert site.store.kept.current is not None
        assert site.store.kept.current.phase == "rolled-back"


class TestRollback:
    def test_needs_no_arguments(self, site: Site) -> None:
        release(site)
        receipt, problems = site.desk("ada").rollback(Journal(), reason="the map is empty")
        assert receipt is not None
        assert problems == []
        assert site.serving() == ("blue", "1.0")
        assert site.repository.file is not None
        assert site.repository.file["activeColour"] == "blue"
        assert site.repository.file["colours"]["green"]["gateway"]["image"]["tag"] == "2.0"
        with pytest.raises(RefusedError, match="rolled back already"):
            site.desk().rollback(Journal(), reason="again")

    def test_works_without_git_and_git_is_told_later(self, site: Site) -> None:
        release(site)
        site.repository.gone = True
        _, problems = site.desk().rollback(Journal(), reason="errors")
        assert any("Git has yet to be told" in each for each in problems)
        assert site.serving() == ("blue", "1.0")
        assert site.store.kept.pending is not None
        warned = site.desk().planned(target("3.0"), reason="new").findings
        assert any(each.check == "git" and each.outcome == "warning" for each in warned)
        site.repository.gone = False
        assert site.desk().told_to_git() is not None
        assert site.store.kept.pending is None
        assert site.repository.file is not None
        assert site.repository.file["activeColour"] == "blue"
        assert site.desk().told_to_git() is None


def acts(run: Callable[[Site], object]) -> int:
    """How many changes a whole run makes."""
    site = Site(FakeCluster(Time()), ENVIRONMENT)
    before = len(site.cluster.acts)
    run(site)
    return len(site.cluster.acts) - before


STEPS = range(acts(release))


@pytest.mark.parametrize("survived", STEPS)
@pytest.mark.parametrize("then", ["resume", "rollback-or-abort", "apply"])
def test_the_maker_may_die_after_any_change(site: Site, survived: int, then: str) -> None:
    site.cluster.dies_after = survived
    with pytest.raises(Died):
        release(site)
    assert site.cluster.dies_after is None
    whole(site)
    # Users are served by one colour, whole: the old one, or the new one.
    assert half_moved(site) or site.serving() in {("blue", "1.0"), ("green", "2.0")}
    site.cluster.time.sleep(61)
    kept = site.store.kept.current
    if then == "resume":
        if kept is None or not kept.open:
            with pytest.raises(RefusedError, match="no release is under way"):
                site.desk().resume(Journal())
        else:
            assert site.desk("ada").resume(Journal()).release.phase == "done"
            assert site.serving() == ("green", "2.0")
    elif then == "rollback-or-abort":
        if kept is not None and kept.open:
            try:
                site.desk("ada").abort(Journal())
            except RefusedError:
                site.desk("ada").rollback(Journal(), reason="its maker died")
            assert site.serving() == ("blue", "1.0")
            assert site.store.kept.current is not None
            assert not site.store.kept.current.open
    elif half_moved(site) and len(set(map(site.cluster.active, COMPONENTS))) == 2:
        with pytest.raises(RefusedError, match="led to both colours"):
            site.desk("ada").planned(target(), reason="new")
    else:
        planned = site.desk("ada").planned(target(), reason="new")
        if site.cluster.record.intent is None and not planned.refused:
            done = site.desk("ada").apply(planned, Journal(), reason="new").release
            assert done.phase == "done"
            assert site.serving() == (done.colour, "2.0")
    whole(site)


def half_moved(site: Site) -> bool:
    """Between two selectors there is a moment; the record says who is on the way."""
    return site.cluster.record.intent is not None
