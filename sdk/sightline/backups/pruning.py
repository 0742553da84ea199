"""Take away the backups that no rule keeps."""

from __future__ import annotations

from sightline.backups import retention, steps
from sightline.backups.ledger import Ledger
from sightline.backups.making import Now, utc
from sightline.backups.retention import Keep, Verdict
from sightline.backups.target import Target
from sightline.journal import Journal
from sightline.steps import Step


def plan(target: str, verdicts: tuple[Verdict, ...]) -> list[Step]:
    """What `prune` does."""
    return [
        steps.Remove(id=each.id, where=target, reason=each.reason)
        for each in verdicts
        if not each.kept
    ]


def verdicts(
    target: Target, keep: Keep, *, damaged: bool = False, now: Now = utc
) -> tuple[Verdict, ...]:
    """On all that is there."""
    return retention.judge(target.found(), keep, now=now(), damaged=damaged)


def prune(
    target: Target,
    judged: tuple[Verdict, ...],
    *,
    ledger: Ledger | None = None,
    journal: Journal | None = None,
    now: Now = utc,
) -> tuple[str, ...]:
    """Remove what is not kept, the oldest first; the ids. Raises BackupError."""
    journal = journal or Journal()
    gone: list[str] = []
    try:
        for each in plan(target.where, judged):
            assert isinstance(each, steps.Remove)
            with journal.step(each):
                target.remove(each.id)
                gone.append(each.id)
    finally:
        # Also of those that went before one that did not.
        if ledger is not None and gone:
            ledger.removed(gone, now())
    return tuple(gone)
