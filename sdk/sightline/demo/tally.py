"""Counting while the demo runs: every frame's answer goes in, snapshots and the report come out."""

from __future__ import annotations

from collections import Counter, deque
from dataclasses import dataclass, field

from sightline.demo.listener import Arrivals, Sighting
from sightline.demo.report import percentile
from sightline.demo.scoring import Fix, FrameScore
from sightline.messages import DetectResult, Placement, Unplaced

_RECENT = 200
# Of a circular normal error, half lies within 1.1774 sigmas and 90 % within 2.1460.
_MEDIAN_PER_CE90 = 1.1774100225154747 / 2.145966026289347


@dataclass
class Tally:
    """The running totals. Moments are seconds of one monotonic clock."""

    arrivals: Arrivals
    frames: int = 0
    failed: int = 0
    detections: int = 0
    unplaced: Counter[str] = field(default_factory=Counter)
    sent_at: dict[Sighting, float] = field(default_factory=dict)
    """The placed and committed ones, with the moment when their frame's request began."""
    commit_seconds: list[float] = field(default_factory=list)
    fixes: list[Fix] = field(default_factory=list)
    wanted: int = 0
    found: int = 0
    right: int = 0
    wrong: int = 0
    last_failure: str | None = None
    finished: deque[float] = field(default_factory=lambda: deque(maxlen=_RECENT))

    def answer(
        self, result: DetectResult, score: FrameScore, *, began: float, ended: float
    ) -> None:
        """A frame was answered."""
        self.frames += 1
        self.finished.append(ended)
        self.commit_seconds.append(ended - began)
        self.detections += len(result.detections)
        for each in result.detections:
            if isinstance(each.event, Placement) and result.camera_id and result.frame_id:
                key = Sighting(
                    camera_id=result.camera_id,
                    frame_id=result.frame_id,
                    detection=each.event.index,
                )
                self.sent_at[key] = began
            elif isinstance(each.event, Unplaced):
                self.unplaced[each.event.reason] += 1
        self.fixes.extend(score.fixes)
        self.wanted += score.wanted
        self.found += score.found
        self.right += score.right
        self.wrong += score.wrong

    def failure(self, sentence: str) -> None:
        """A frame was not answered as it should be."""
        self.failed += 1
        self.last_failure = sentence

    @property
    def placed(self) -> int:
        """Detections with a place on the ground, all of them committed."""
        return len(self.sent_at)

    @property
    def received(self) -> int:
        """Placed detections that the independent client has seen."""
        return len(self.sent_at.keys() & self.arrivals.first.keys())

    @property
    def recall(self) -> float | None:
        """Share of the truths that were found."""
        return self.found / self.wanted if self.wanted else None

    @property
    def precision(self) -> float | None:
        """Share of the detections that were right."""
        judged = self.right + self.wrong
        return self.right / judged if judged else None

    @property
    def inside_ce90(self) -> float | None:
        """Share of the fixes within their own CE90."""
        if not self.fixes:
            return None
        return sum(fix.error_m <= fix.ce90_m for fix in self.fixes) / len(self.fixes)

    @property
    def expected_error_m(self) -> float | None:
        """The median error that the stated CE90s predict, were they circular."""
        return percentile([fix.ce90_m * _MEDIAN_PER_CE90 for fix in self.fixes], 0.5)

    def ground_error_m(self, share: float) -> float | None:
        """A percentile of the ground errors."""
        return percentile([fix.error_m for fix in self.fixes], share)

    def tak_seconds(self) -> list[float]:
        """From request to arrival in TAK, of every sighting that has arrived."""
        return [
            moment - self.sent_at[key]
            for key, moment in self.arrivals.first.items()
            if key in self.sent_at
        ]

    def rate(self, now: float, window: float = 5.0) -> float:
        """Frames a second over the last few."""
        recent = [moment for moment in self.finished if now - moment <= window]
        return len(recent) / window if recent else 0.0
