"""Which backups are kept, and why: the newest few, and one of each day, week and month.

What cannot be missed is never removed, whatever is asked: of each database the newest backup and
the newest that was restored for proof; what is locked; what may still be under way.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

import msgspec

from sightline.backups.errors import RefusedError
from sightline.backups.found import Found, moment_of

UNDER_WAY = timedelta(hours=24)
"""One that has no manifest may still be written, as long as it is younger."""


class Keep(msgspec.Struct, frozen=True, kw_only=True):
    """How many of each are kept."""

    last: int = 7
    daily: int = 7
    weekly: int = 4
    monthly: int = 6

    def __post_init__(self) -> None:
        if min(self.last, self.daily, self.weekly, self.monthly) < 0:
            raise RefusedError("what is kept is counted from 0 up")
        if not any((self.last, self.daily, self.weekly, self.monthly)):
            raise RefusedError(
                "nothing would be kept: say how many of last, daily, weekly, monthly"
            )


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """On one backup."""

    id: str
    kept: bool
    reason: str


_PERIODS: tuple[tuple[str, Callable[[datetime], str]], ...] = (
    ("daily", lambda moment: f"{moment:%Y-%m-%d}"),
    ("weekly", lambda moment: f"{moment:%G-W%V}"),
    ("monthly", lambda moment: f"{moment:%Y-%m}"),
)


def judge(
    found: Sequence[Found], keep: Keep, *, now: datetime, damaged: bool = False
) -> tuple[Verdict, ...]:
    """A verdict on each, the oldest first; `damaged` lets those go that are none."""
    reasons: dict[str, str] = {}
    sources: dict[tuple[str, str], list[Found]] = {}
    for each in sorted(found, key=lambda each: each.id):
        if each.manifest is None:
            reasons[each.id] = _left(each, now=now, damaged=damaged)
        else:
            sources.setdefault((each.manifest.kind, each.manifest.source), []).append(each)
    for all_ in sources.values():
        reasons |= _kept(all_, keep, now=now)
    return tuple(
        Verdict(
            id=each.id,
            kept=bool(reasons.get(each.id)),
            reason=reasons.get(each.id) or _gone(each),
        )
        for each in sorted(found, key=lambda each: each.id)
    )


def _gone(each: Found) -> str:
    return "it is in no rule" if each.state == "whole" else f"it is {each.state}"


def _left(each: Found, *, now: datetime, damaged: bool) -> str:
    """Why one that is no backup stays; empty where it goes."""
    if _locked(each, now):
        return f"{each.state}, and locked until {each.locked_until:%Y-%m-%d}"
    begun = moment_of(each.id)
    if each.state == "unfinished" and begun is not None and now - begun < UNDER_WAY:
        return "unfinished: it may be under way"
    if not damaged:
        return f"{each.problem or each.state}: --damaged removes it"
    return ""


def _kept(all_: list[Found], keep: Keep, *, now: datetime) -> dict[str, str]:
    """Of one database's: why each that stays does so."""
    newest_first = sorted(all_, key=lambda each: (_moment(each), each.id), reverse=True)
    why: dict[str, list[str]] = {}

    def keeping(reason: str, some: Iterable[Found]) -> None:
        for each in some:
            why.setdefault(each.id, []).append(reason)

    keeping("the newest", newest_first[:1])
    keeping("the newest that is verified", [each for each in newest_first if each.verified][:1])
    keeping("last", newest_first[: keep.last])
    for name, period in _PERIODS:
        first: dict[str, Found] = {}
        for each in newest_first:
            first.setdefault(period(_moment(each)), each)
        keeping(name, list(first.values())[: getattr(keep, name)])
    for each in newest_first:
        if _locked(each, now):
            keeping(f"locked until {each.locked_until:%Y-%m-%d}", [each])
    return {name: ", ".join(reasons) for name, reasons in why.items()}


def _locked(each: Found, now: datetime) -> bool:
    return each.locked_until is not None and each.locked_until > now


def _moment(each: Found) -> datetime:
    assert each.manifest is not None
    return each.manifest.started_at
