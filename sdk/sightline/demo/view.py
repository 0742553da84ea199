"""The demo's terminal view: a snapshot in, something for rich to draw out. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from sightline.demo.report import percentile
from sightline.demo.tally import Tally
from sightline.messages import Event, SinkState

_SHOWN_EVENTS = 8


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The demo at one moment."""

    seconds: float
    rate_hz: float
    frames: int
    failed: int
    detections: int
    placed: int
    unplaced: dict[str, int]
    received: int
    commit_ms: tuple[float | None, float | None]
    tak_ms: tuple[float | None, float | None]
    error_m: float | None
    inside_ce90: float | None
    recall: float | None
    precision: float | None
    sinks: tuple[SinkState, ...]
    events: tuple[Event, ...]
    map_url: str
    message: str | None


def snapshot(
    tally: Tally,
    *,
    now: float,
    began: float,
    sinks: tuple[SinkState, ...],
    events: tuple[Event, ...],
    map_url: str,
) -> Snapshot:
    """The totals as they stand."""
    commit, tak = tally.commit_seconds, tally.tak_seconds()
    return Snapshot(
        seconds=now - began,
        rate_hz=tally.rate(now),
        frames=tally.frames,
        failed=tally.failed,
        detections=tally.detections,
        placed=tally.placed,
        unplaced=dict(tally.unplaced),
        received=tally.received,
        commit_ms=(_ms(commit, 0.5), _ms(commit, 0.95)),
        tak_ms=(_ms(tak, 0.5), _ms(tak, 0.95)),
        error_m=tally.ground_error_m(0.5),
        inside_ce90=tally.inside_ce90,
        recall=tally.recall,
        precision=tally.precision,
        sinks=sinks,
        events=events,
        map_url=map_url,
        message=tally.last_failure,
    )


def line(shot: Snapshot) -> str:
    """The same in one line, for logs."""
    return (
        f"{shot.seconds:5.0f} s  {shot.frames} frames ({shot.rate_hz:.1f}/s)"
        f"  {shot.detections} detections  {shot.placed} placed  {shot.received} in TAK"
        f"  p50 {_number(shot.tak_ms[0], 0)} ms  error {_number(shot.error_m, 1)} m"
        f"  inside CE90 {_percent(shot.inside_ce90)}"
        + (f"  {shot.failed} failed ({shot.message})" if shot.failed else "")
    )


def draw(shot: Snapshot) -> RenderableType:
    """The live view."""
    head = Text.assemble(
        ("Sightline demo", "bold"),
        f"   {shot.seconds:.0f} s   map: ",
        (shot.map_url, "cyan underline"),
        "   Ctrl-C ends",
    )
    parts: list[RenderableType] = [head, _flow(shot), _quality(shot), _sinks(shot), _latest(shot)]
    if shot.message:
        parts.append(Text(f"{shot.failed} frames failed: {shot.message}", style="red"))
    return Panel(Group(*parts), border_style="dim")


def _flow(shot: Snapshot) -> Table:
    """From left to right, the way of a frame."""
    table = Table.grid(expand=True, padding=(0, 1))
    behind = max((sink.lag_events for sink in shot.sinks), default=0)
    values = (
        ("frames/s", f"{shot.rate_hz:.1f}"),
        ("frames", str(shot.frames)),
        ("detections", str(shot.detections)),
        ("placed", str(shot.placed)),
        ("unplaced", str(sum(shot.unplaced.values()))),
        ("committed", str(shot.placed)),
        ("behind", str(behind)),
        ("in TAK", str(shot.received)),
    )
    for _ in values:
        table.add_column(justify="center")
    table.add_row(*(Text(value, style="bold green") for _, value in values))
    table.add_row(*(Text(name, style="dim") for name, _ in values))
    return table


def _quality(shot: Snapshot) -> Table:
    table = Table.grid(expand=True, padding=(0, 1))
    values = (
        ("frame → commit p50 / p95", _pair(shot.commit_ms)),
        ("frame → TAK p50 / p95", _pair(shot.tak_ms)),
        ("median ground error", f"{_number(shot.error_m, 1)} m"),
        ("inside CE90", _percent(shot.inside_ce90)),
        ("recall / precision", f"{_percent(shot.recall)} / {_percent(shot.precision)}"),
    )
    for _ in values:
        table.add_column(justify="center")
    table.add_row(*(Text(value, style="bold") for _, value in values))
    table.add_row(*(Text(name, style="dim") for name, _ in values))
    return table


def _sinks(shot: Snapshot) -> Table:
    table = Table(box=None, expand=True, padding=(0, 1), header_style="dim")
    for column in ("sink", "state", "sent", "acknowledged", "behind", "reconnects", "last error"):
        table.add_column(
            column, justify="left" if column in ("sink", "state", "last error") else "right"
        )
    for sink in shot.sinks:
        table.add_row(
            f"{sink.name} {sink.target}",
            Text(
                sink.state.replace("_", " "),
                style="green" if sink.state == "connected" else "yellow",
            ),
            str(sink.sent),
            str(sink.acknowledged),
            str(sink.lag_events),
            str(sink.reconnects),
            sink.last_error or "",
        )
    return table


def _latest(shot: Snapshot) -> Table:
    table = Table(box=None, expand=True, padding=(0, 1), header_style="dim")
    for column in ("track", "class", "latitude", "longitude", "CE90", "speed", "seen by"):
        table.add_column(column, justify="right" if column in ("CE90", "speed") else "left")
    colours = {"GREEN": "green", "YELLOW": "yellow", "RED": "red"}
    for event in shot.events[:_SHOWN_EVENTS]:
        table.add_row(
            event.uid[-4:],
            event.class_name,
            f"{event.position.latitude:.6f}",
            f"{event.position.longitude:.6f}",
            Text(f"{event.ce90_m:.1f} m", style=colours[event.flag]),
            "" if event.speed_mps is None else f"{event.speed_mps:.1f} m/s",
            event.camera_id,
        )
    return table


def _ms(seconds: list[float], share: float) -> float | None:
    value = percentile(seconds, share)
    return None if value is None else value * 1000.0


def _number(value: float | None, places: int) -> str:
    return "–" if value is None else f"{value:.{places}f}"


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def _pair(values: tuple[float | None, float | None]) -> str:
    return f"{_number(values[0], 0)} / {_number(values[1], 0)} ms"
