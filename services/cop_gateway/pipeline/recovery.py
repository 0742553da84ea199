"""The tracks as they were before a restart, from the newest sightings in the store."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

import numpy as np

from cop_gateway.geolocation.accuracy import CE90_PER_SIGMA
from cop_gateway.outbox.record import RETRACTED
from cop_gateway.pipeline.picture import Picture
from cop_gateway.tracking import Rules, Tracks
from sightline.messages import Event

_SETTLED = 4


def recovered(newest_first: Iterable[Event], rules: Rules) -> Tracks:
    """Each object's newest sighting becomes its track again, so that its uid stays the same.

    One that was taken back is no track any more.

    The exact filter state is not stored: the error is taken as circular, the velocity from the
    event where it had one.
    """
    latest: dict[str, Event] = {}
    for event in newest_first:
        latest.setdefault(event.uid, event)
    events = [event for event in latest.values() if event.cot_type != RETRACTED]
    if not events:
        return Tracks.none()
    sigma = np.array([event.ce90_m for event in events]) / CE90_PER_SIGMA
    moving = np.array([event.speed_mps is not None for event in events])
    course = np.array([math.radians(event.course or 0.0) for event in events])
    speed = np.array([event.speed_mps or 0.0 for event in events])
    covariance = np.zeros((len(events), 4, 4))
    covariance[:, 0, 0] = covariance[:, 1, 1] = sigma**2
    doubt = np.where(moving, np.maximum(speed / 3.0, 0.5), rules.first_speed_mps)
    covariance[:, 2, 2] = covariance[:, 3, 3] = doubt**2
    return Tracks(
        uid=tuple(event.uid for event in events),
        class_name=tuple(event.class_name for event in events),
        seconds=np.array([event.captured_at.timestamp() for event in events]),
        latitude=np.array([event.position.latitude for event in events]),
        longitude=np.array([event.position.longitude for event in events]),
        velocity=np.stack((speed * np.sin(course), speed * np.cos(course)), axis=-1),
        covariance=covariance,
        sightings=np.where(moving, _SETTLED, 1).astype(np.int64),
    )


def caught_up(picture: Picture, newest_first: Iterable[Event], rules: Rules) -> Picture:
    """The picture with what other gateways have seen meanwhile: their sightings are ours, too."""
    news = list(newest_first)
    if not news:
        return picture
    others = recovered(news, rules)
    theirs = {event.uid for event in news}
    kept = np.array([i for i, uid in enumerate(picture.tracks.uid) if uid not in theirs], np.intp)
    return replace(picture, tracks=picture.tracks.keep(kept).plus(others))
