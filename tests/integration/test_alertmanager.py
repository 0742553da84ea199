"""A real Alertmanager with our configuration: who hears of what, when, and what is never told."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from alertmanager.configuration import BASE, read
from notifying import Alertmanager, Inbox, Mailbox, Site, alert, inbox, mailbox
from running import http, started, wait_for

QUIET_SECONDS = 3.0
"""Sixty times as fast, this is three minutes: longer than any group waits for its first message."""


@pytest.fixture
def told() -> Iterator[Inbox]:
    with inbox() as opened:
        yield opened


@pytest.fixture
def manager(tmp_path: Path, told: Inbox) -> Iterator[Alertmanager]:
    with started(Alertmanager(tmp_path / "am", Site(told).document)) as running:
        yield running


def test_each_severity_has_its_receiver(manager: Alertmanager, told: Inbox) -> None:
    manager.post(
        alert("SightlineOne", severity="page", group="delivery"),
        alert("SightlineTwo", severity="ticket", group="delivery"),
        alert("SightlineThree", severity="info", group="release"),
        alert("SomebodyElses"),
    )
    wait_for(lambda: told.told("page") == {"SightlineOne"}, what="the page")
    wait_for(lambda: told.told("ticket") == {"SightlineTwo", "SomebodyElses"}, what="tickets")
    wait_for(lambda: told.told("chat") == {"SightlineThree"}, what="chat")
    assert not told.to("nobody")
    assert not told.to("watchdog")


def test_a_storm_in_one_group_is_one_message(manager: Alertmanager, told: Inbox) -> None:
    manager.post(
        *(
            alert("SightlineDeadLetters", severity="page", group="delivery", sink=f"tak-{each}")
            for each in range(20)
        )
    )
    wait_for(lambda: told.to("page"), what="the page")
    time.sleep(QUIET_SECONDS)
    assert [len(each.body["alerts"]) for each in told.to("page")] == [20]


def test_what_is_over_is_said_to_be(manager: Alertmanager, told: Inbox) -> None:
    manager.post(alert("SightlineOne", severity="page", group="delivery"))
    wait_for(lambda: told.to("page"), what="the page")
    manager.post(alert("SightlineOne", severity="page", group="delivery", resolved=True))
    wait_for(
        lambda: [each.body["status"] for each in told.to("page")] == ["firing", "resolved"],
        what="that it is over",
    )


def test_a_drill_reaches_nobody_and_hides_nothing(manager: Alertmanager, told: Inbox) -> None:
    manager.post(
        alert(
            "SightlineSinkDisconnected", severity="page", group="delivery", sink="hq", drill="true"
        ),
        alert("SightlineSinkLag", severity="page", group="delivery", sink="hq"),
    )
    wait_for(lambda: told.told("page") == {"SightlineSinkLag"}, what="the real page")
    time.sleep(QUIET_SECONDS)
    assert told.told("page") == {"SightlineSinkLag"}
    assert told.told("nobody") == {"SightlineSinkDisconnected"}


def now(minutes: float) -> str:
    return (datetime.now(UTC) + timedelta(minutes=minutes)).strftime("%H:%M")


def drill(*, begins: float, ends: float) -> dict[str, Any]:
    """A drill of one sink, minutes from now; near midnight its times are two."""
    began, ended = now(begins), now(ends)
    times = (
        [{"start_time": began, "end_time": ended}]
        if began < ended
        else [
            {"start_time": began, "end_time": "24:00"},
            {"start_time": "00:00", "end_time": ended},
        ]
    )
    return {
        "drills": [
            {
                "name": "outage",
                "matchers": ['sink="training"'],
                "time_intervals": [{"times": times}],
            }
        ]
    }


def test_a_planned_drill_is_for_chat_and_a_real_page_pages(tmp_path: Path, told: Inbox) -> None:
    site = Site(told, drill(begins=-5, ends=30)).document
    with started(Alertmanager(tmp_path / "am", site)) as manager:
        manager.post(
            alert("SightlineSinkDisconnected", severity="page", group="delivery", sink="training"),
            alert("SightlineSinkDisconnected", severity="page", group="delivery", sink="hq"),
        )
        wait_for(lambda: told.to("page") and told.to("chat"), what="both")
        time.sleep(QUIET_SECONDS)
    paged = [each["labels"]["sink"] for one in told.to("page") for each in one.body["alerts"]]
    chatted = [each["labels"]["sink"] for one in told.to("chat") for each in one.body["alerts"]]
    assert set(paged) == {"hq"}
    assert set(chatted) == {"training"}


def test_outside_its_times_what_is_drilled_pages(tmp_path: Path, told: Inbox) -> None:
    site = Site(told, drill(begins=120, ends=150)).document
    with started(Alertmanager(tmp_path / "am", site)) as manager:
        manager.post(
            alert("SightlineSinkDisconnected", severity="page", group="delivery", sink="training")
        )
        wait_for(lambda: told.to("page"), what="the page")
        time.sleep(QUIET_SECONDS)
    assert not told.to("chat")


def test_tickets_wait_for_working_hours_and_pages_do_not(tmp_path: Path, told: Inbox) -> None:
    asleep = drill(begins=120, ends=150)["drills"][0]["time_intervals"]
    site = Site(told, {"time_intervals": [{"name": "working-hours", "time_intervals": asleep}]})
    with started(Alertmanager(tmp_path / "am", site.document)) as manager:
        manager.post(
            alert("SightlineOne", severity="ticket", group="delivery"),
            alert("SightlineTwo", severity="page", group="delivery"),
        )
        wait_for(lambda: told.to("page"), what="the page")
        time.sleep(QUIET_SECONDS)
        assert manager.states()["SightlineOne"] == "active", "it is there to be seen"
    assert not told.to("ticket")


def test_the_dead_mans_switch_is_heard_every_other_minute(
    manager: Alertmanager, told: Inbox
) -> None:
    manager.post(alert("SightlineWatchdog", severity="info", group="platform"))
    wait_for(lambda: len(told.to("watchdog")) >= 4, seconds=20, what="four heartbeats")
    beats = [each.at for each in told.to("watchdog")]
    # Sixty times as fast, two minutes are two seconds.
    assert all(later - one > 1.5 for one, later in pairwise(beats)), beats
    assert told.told("chat") == set()


SECRETS = {
    "alertmanager-smtp-password": "planted-smtp-7f3a",
    "alertmanager-pager-token": "planted-pager-7f3a",
    "alertmanager-chat-url": "planted-chat-7f3a",
    "alertmanager-heartbeat-token": "planted-heartbeat-7f3a",
}


def example(folder: Path, told: Inbox, post: Mailbox) -> dict[str, Any]:
    """The site of the example file, with its secrets in a folder and its servers on loopback."""
    text = (BASE.parent / "site.example.yaml").read_text(encoding="utf-8")
    for written, here in {
        "mail.example.org:587": post.address,
        "https://pager.example.org/alerts": f"{told.url}/page",
        "https://heartbeat.example.org/sightline": f"{told.url}/watchdog",
        "/run/secrets": str(folder),
    }.items():
        assert written in text
        text = text.replace(written, here)
    for name, secret in SECRETS.items():
        (folder / name).write_text(
            f"{told.url}/chat?key={secret}" if name.endswith("-url") else secret
        )
    (folder / "site.yaml").write_text(text, encoding="utf-8")
    site = read(folder / "site.yaml")
    site["global"]["smtp_require_tls"] = False
    return site


def test_the_example_tells_everybody_and_its_secrets_stay_secret(
    tmp_path: Path, told: Inbox
) -> None:
    with mailbox() as post:
        site = example(tmp_path, told, post)
        # Nobody listens there: what cannot be sent is logged with its address.
        site["receivers"][0]["webhook_configs"].append({"url": "http://127.0.0.1:9/page"})
        with started(Alertmanager(tmp_path / "am", site)) as manager:
            manager.post(
                alert(
                    "SightlineSinkDisconnected",
                    severity="page",
                    group="delivery",
                    sink="hq",
                    annotations={"summary": "TAK server hq takes nothing", "description": "Aye."},
                ),
                alert("SightlineThree", severity="info", group="release"),
                alert("SightlineWatchdog", severity="info", group="platform"),
            )
            wait_for(lambda: post.messages, what="the e-mail")
            wait_for(lambda: told.to("page") and told.to("watchdog"), what="webhooks")
            wait_for(lambda: any("chat" in each.receiver for each in told.received), what="chat")
            status = http(f"{manager.url}/api/v2/status").body.decode()
            metrics = http(f"{manager.url}/metrics").body.decode()
            log = manager.output
    _check_mail(post)
    (paged,) = told.to("page")[:1]
    assert paged.headers["Authorization"] == "Bearer planted-pager-7f3a"
    (beat,) = told.to("watchdog")[:1]
    assert beat.headers["Authorization"] == "Bearer planted-heartbeat-7f3a"
    chat = next(each for each in told.received if each.receiver == "chat?key=planted-chat-7f3a")
    (attachment,) = chat.body["attachments"]
    assert attachment["title"] == "INFO test: SightlineThree"
    assert "smtp_auth_password" in status, "the configuration is told there"
    for secret in SECRETS.values():
        for where, said in (("status", status), ("metrics", metrics), ("log", log)):
            assert secret not in said, where


def _check_mail(post: Mailbox) -> None:
    mail = post.messages[0]
    assert mail["To"] == "on-call@example.org"
    assert mail["Subject"] == "PAGE test: TAK server hq takes nothing"
    text, html = mail.get_body(("plain",)), mail.get_body(("html",))
    assert text is not None
    assert html is not None
    assert "Where: test, sink hq" in text.get_content()
    assert "TAK server hq takes nothing" in html.get_content()
    assert base64.b64decode(post.credentials[0]).decode() == "\0sightline\0planted-smtp-7f3a"
