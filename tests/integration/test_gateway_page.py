"""The page at / in a real browser: what an operator sees of the tracks and of the sinks."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from running import Gateway, free_port, http, report, required, started

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")


@pytest.fixture(scope="module")
def browser() -> str:
    found = next((where for name in BROWSERS if (where := shutil.which(name))), None)
    if found is None:
        required("no Chromium is installed")
    return found


@pytest.fixture
def gateway(tmp_path: Path) -> Iterator[Gateway]:
    sink = f"tcp://127.0.0.1:{free_port()}"  # nobody is there
    with started(Gateway(tmp_path, sink=sink)) as process:
        yield process


class Page(HTMLParser):
    """The texts of a rendered page by the element's id or tag."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[tuple[str, str | None]] = []
        self.texts: list[tuple[list[str], str]] = []
        self.rows = 0
        self.circles: list[dict[str, Any]] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        self.open.append((tag, given.get("id")))
        if tag == "tr" and any(name == "tbody" for name, _ in self.open):
            self.rows += 1
        if tag == "circle":
            self.circles.append(given)

    def handle_endtag(self, tag: str) -> None:
        while self.open and self.open.pop()[0] != tag:
            continue

    def handle_data(self, data: str) -> None:
        if data.strip():
            names = [name for tag, id_ in self.open for name in (tag, id_) if name]
            self.texts.append((names, data.strip()))

    def text(self, name: str) -> str:
        return " ".join(text for names, text in self.texts if name in names)


def rendered(browser: str, url: str, profile: Path) -> Page:
    done = subprocess.run(
        [
            browser, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", f"--user-data-dir={profile}", "--window-size=1200,700",
            "--virtual-time-budget=4000", "--dump-dom", url,
        ],
        check=True, capture_output=True, text=True, timeout=90,
    )  # fmt: skip
    return Page(done.stdout)


def test_tracks_are_listed_and_plotted_with_their_error(
    browser: str, gateway: Gateway, tmp_path: Path
) -> None:
    receipt = gateway.post(report("f-1", cars=3)).json
    page = rendered(browser, f"{gateway.url}/", tmp_path / "profile")
    assert page.text("summary").startswith("3 tracks")
    assert page.rows == 3
    rows = page.text("rows")
    for placed in receipt["results"]:
        position = placed["position"]
        assert f"{position['latitude']:.6f}, {position['longitude']:.6f}" in rows
        assert f"{placed['ce90_m']:.1f} m" in rows
        assert placed["uid"][-4:] in rows
    circles = [each for each in page.circles if each.get("class") == "ce"]
    assert len(circles) == 3
    assert all(float(each["r"]) > 0 for each in circles)
    assert page.text("error") == ""


def test_a_sink_that_is_down_is_seen_at_once(
    browser: str, gateway: Gateway, tmp_path: Path
) -> None:
    gateway.post(report("f-1", cars=2))
    page = rendered(browser, f"{gateway.url}/", tmp_path / "profile")
    assert re.fullmatch(r"tak: (backing off|connecting), [1-9]\d* behind", page.text("sinks"))


def test_a_class_name_is_text_and_never_markup(browser: str, tmp_path: Path) -> None:
    with started(Gateway(tmp_path, unknown_class_type="a-u-G")) as gateway:
        hostile = report("f-1", cars=1)
        hostile["detections"][0]["class"] = "<img src=x onerror=document.title='owned'>"
        assert gateway.post(hostile).status == 201
        page = rendered(browser, f"{gateway.url}/", tmp_path / "profile")
    assert "<img" in page.text("rows")
    assert page.text("head").startswith("Sightline: latest tracks")


def test_the_page_loads_nothing_from_elsewhere(gateway: Gateway) -> None:
    answer = http(f"{gateway.url}/")
    assert answer.status == 200
    assert (
        re.findall(rb"""(?:src|href)\s*=|https?://(?!www\.w3\.org/2000/svg)""", answer.body) == []
    )
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "connect-src 'self'" in policy
