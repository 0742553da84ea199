"""Taking a track back: an operator says that it is none, and TAK clients delete its marker.

Source for the event: TAK's delete task, t-x-d-d: the event has a uid of its own, what to delete is
named by its link, and __forcedelete also removes what a user has kept.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from cop_gateway.cot import CotEvent, Point, to_xml
from cop_gateway.outbox.record import RETRACTED, RETRACTION_MARK, EventRecord, FrameKey, FrameRecord
from cop_gateway.pipeline.doctrine import Doctrine
from cop_gateway.pipeline.picture import Picture
from sightline.messages import Event, Retraction, encode

_NOWHERE = Point(latitude=0.0, longitude=0.0, hae=0.0, ce=None, le=None)
# Of a message that came too late, clients do nothing: the marker would stay.
_LIFETIME = timedelta(days=1)


@dataclass(frozen=True, kw_only=True, slots=True)
class Withdrawal:
    """A track that somebody takes back, by its last sighting."""

    last: Event
    reason: str | None
    by: str
    at: datetime

    @property
    def key(self) -> FrameKey:
        """Where its receipt is found, so that taking back twice is once; no frame is called so."""
        return FrameKey(camera_id=self.last.camera_id, frame_id=RETRACTION_MARK + self.last.uid)


def retraction(withdrawal: Withdrawal, doctrine: Doctrine) -> FrameRecord:
    """What is committed: the receipt, and the event that deletes the marker everywhere."""
    last = withdrawal.last
    stale_at = withdrawal.at + _LIFETIME
    uid = f"{last.uid}-retraction"
    event = CotEvent(
        uid=uid,
        type=RETRACTED,
        how="h-g-i-g-o",
        time=withdrawal.at,
        stale=stale_at,
        point=_NOWHERE,
        detail={
            "link": {"uid": last.uid, "type": last.cot_type, "relation": "p-p"},
            "__forcedelete": {},
        },
        remarks=withdrawal.reason or "",
        marks=doctrine.marks,
    )
    return FrameRecord(
        key=withdrawal.key,
        captured_at=withdrawal.at,
        receipt=encode(
            Retraction(
                uid=last.uid,
                class_name=last.class_name,
                retracted_at=withdrawal.at,
                reason=withdrawal.reason,
                by=withdrawal.by,
            )
        ),
        events=(
            EventRecord(
                kind="retraction",
                uid=last.uid,
                cot_type=RETRACTED,
                class_name=last.class_name,
                confidence=last.confidence,
                index=0,
                captured_at=withdrawal.at,
                stale_at=stale_at,
                latitude=last.position.latitude,
                longitude=last.position.longitude,
                hae=last.position.hae,
                ce90_m=last.ce90_m,
                le90_m=last.le90_m,
                course=None,
                speed_mps=None,
                xml=to_xml(event),
            ),
        ),
        unplaced=(),
    )


def without(picture: Picture, uid: str) -> Picture:
    """The picture without a track: what is seen there next is another object."""
    kept = np.array([i for i, each in enumerate(picture.tracks.uid) if each != uid], np.intp)
    return replace(picture, tracks=picture.tracks.keep(kept))
