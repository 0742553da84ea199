"""One step of the tracker: the tracks so far and a frame's sightings → the tracks from now on.

A constant-velocity Kalman filter in local east and north metres per track; sightings are assigned
to tracks by ascending Mahalanobis distance within a gate (global nearest neighbour), over all
cameras, since they share the ground. Source: Bar-Shalom, Li, Kirubarajan, "Estimation with
Applications to Tracking and Navigation", 2001, ch. 6.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from cop_gateway.tracking.track import Array, Rules, Sightings, Tracks

_NAMESPACE = uuid.UUID("6f1d4f0e-3d0c-5b2a-9a51-5f5f0b9c2e11")
_EARTH_M_PER_DEGREE = 111_195.0
_MOVING_SIGMAS = 3.0
_SETTLED_SIGHTINGS = 4
_FEW_TRACKS = 100
"""So many are looked at all together sooner than sorted out."""

_Pairs = tuple[NDArray[np.intp], NDArray[np.intp]]
"""Rows and columns of the gaps between tracks and sightings."""


class _Gaps(NamedTuple):
    """Metres from where tracks should be now to points, and seconds since each track was seen."""

    rows: NDArray[np.intp]
    east: Array
    north: Array
    dt: Array


@dataclass(frozen=True, kw_only=True, slots=True)
class Assignment:
    """Which track each sighting belongs to, (N,), and how that object moves.

    `course` (degrees clockwise from true north) and `speed_mps` are NaN until the motion stands
    out from its own error.
    """

    uid: tuple[str, ...]
    is_new: NDArray[np.bool_]
    course: Array
    speed_mps: Array


def step(tracks: Tracks, seen: Sightings, rules: Rules) -> tuple[Tracks, Assignment]:
    """Assign a frame's sightings; return the new tracks and who is who. Neither input changes."""
    count = len(seen.seed)
    tracks = _alive(tracks, seen.seconds, rules)
    owner = np.full(count, -1, dtype=np.intp)
    if count and len(tracks):
        near = _near(tracks, seen, rules)
        gaps = _offset(
            tracks, near[:, None], seen.latitude[None, :], seen.longitude[None, :], seen.seconds
        )
        pairs = _assign(tracks, near, seen, gaps, rules)
        owner[pairs[1]] = near[pairs[0]]
        tracks = _correct(tracks, seen, gaps, pairs, rules)
    newborn = np.flatnonzero(owner < 0)
    if len(newborn):
        owner[newborn] = len(tracks) + np.arange(len(newborn))
        tracks = tracks.plus(_born(seen, newborn, rules))
    return tracks, _answer(tracks, owner, newborn)


def _alive(tracks: Tracks, now: float, rules: Rules) -> Tracks:
    living = np.flatnonzero(now - tracks.seconds <= rules.timeout_seconds)
    if len(living) > rules.most_tracks:
        newest = np.argsort(tracks.seconds[living], kind="stable")[-rules.most_tracks :]
        living = np.sort(living[newest])
    return tracks if len(living) == len(tracks) else tracks.keep(living)


def _offset(
    tracks: Tracks, rows: NDArray[np.intp], latitude: Array, longitude: Array, seconds: float
) -> _Gaps:
    """Compare tracks with points at that moment, all broadcast against each other.

    A frame older than a track's last (cameras do not share a network) is compared with the track
    as it was then.
    """
    dt = seconds - tracks.seconds[rows]
    velocity, here = tracks.velocity[rows], tracks.latitude[rows]
    per_lon = _EARTH_M_PER_DEGREE * np.cos(np.radians(here))
    d_lon = np.mod(longitude - tracks.longitude[rows] + 180.0, 360.0) - 180.0
    east = d_lon * per_lon - velocity[..., 0] * dt
    north = (latitude - here) * _EARTH_M_PER_DEGREE - velocity[..., 1] * dt
    return _Gaps(rows, east, north, dt)


def _spread(covariance: Array, dt: Array, rules: Rules) -> tuple[Array, Array, Array]:
    """Covariance of the predicted position, (R,) each: east-east, east-north, north-north.

    The uncertainty grows with the distance in time either way.
    """
    p, square = covariance, dt * dt
    noise = (rules.acceleration_mps2 / 2.0) ** 2 * square * square
    return (
        p[:, 0, 0] + 2.0 * dt * p[:, 0, 2] + square * p[:, 2, 2] + noise,
        p[:, 0, 1] + dt * (p[:, 0, 3] + p[:, 1, 2]) + square * p[:, 2, 3],
        p[:, 1, 1] + 2.0 * dt * p[:, 1, 3] + square * p[:, 3, 3] + noise,
    )


def _predict(covariance: Array, dt: Array, rules: Rules) -> Array:
    """Covariance (R, 4, 4) of the whole predicted state."""
    transition = np.zeros(covariance.shape)
    transition[:] = np.eye(4)
    transition[:, 0, 2] = transition[:, 1, 3] = dt
    predicted = transition @ covariance @ transition.swapaxes(1, 2)
    variance, square = rules.acceleration_mps2**2, dt * dt
    for axis in (0, 1):
        predicted[:, axis, axis] += variance * square * square / 4.0
        predicted[:, axis, axis + 2] += variance * square * dt / 2.0
        predicted[:, axis + 2, axis] += variance * square * dt / 2.0
        predicted[:, axis + 2, axis + 2] += variance * square
    return predicted


def _near(tracks: Tracks, seen: Sightings, rules: Rules) -> NDArray[np.intp]:
    """The tracks that may be within the gate of a sighting: most are far away.

    Compared with the circle around all sightings; a trace is never less than the largest variance.
    """
    if len(tracks) <= _FEW_TRACKS:
        return np.arange(len(tracks))
    latitude = (seen.latitude.min() + seen.latitude.max()) / 2.0
    d_lon = np.mod(seen.longitude - seen.longitude[0] + 180.0, 360.0) - 180.0
    longitude = seen.longitude[0] + (d_lon.min() + d_lon.max()) / 2.0
    rows = np.arange(len(tracks))
    _, east, north, dt = _offset(tracks, rows, latitude, longitude, seen.seconds)
    ee, _, nn = _spread(tracks.covariance, dt, rules)
    # In metres at the equator, where a degree of longitude is longest: rather too wide.
    width = (d_lon.max() - d_lon.min()) * _EARTH_M_PER_DEGREE
    height = (seen.latitude.max() - seen.latitude.min()) * _EARTH_M_PER_DEGREE
    largest = seen.covariance[:, 0, 0] + seen.covariance[:, 1, 1]
    reach = np.sqrt(rules.gate * (ee + nn + largest.max())) + np.hypot(width, height) / 2.0
    return np.flatnonzero(np.hypot(east, north) <= reach)


def _assign(
    tracks: Tracks,
    near: NDArray[np.intp],
    seen: Sightings,
    gaps: _Gaps,
    rules: Rules,
) -> _Pairs:
    """Which of the near tracks takes which sighting; each takes at most one sighting of a frame."""
    _, east, north, dt = gaps
    ee, en, nn = _spread(tracks.covariance[near], dt[:, 0], rules)
    a = ee[:, None] + seen.covariance[None, :, 0, 0]
    b = en[:, None] + seen.covariance[None, :, 0, 1]
    d = nn[:, None] + seen.covariance[None, :, 1, 1]
    det = a * d - b * b
    distance = (d * east**2 - 2.0 * b * east * north + a * north**2) / det
    classes = np.array([tracks.class_name[i] for i in near])
    same = classes[:, None] == np.array(seen.class_name)[None, :]
    distance += np.where(same, 0.0, rules.other_class)
    # A vague track is close to everything: its own spread counts against it (log-likelihood).
    cost = distance + np.log(det)
    rows, columns = np.nonzero(distance <= rules.gate)
    order = np.argsort(cost[rows, columns], kind="stable")
    taken: set[int] = set()
    found: dict[int, int] = {}
    for row, column in zip(rows[order].tolist(), columns[order].tolist(), strict=True):
        if column not in found and row not in taken:
            found[column] = row
            taken.add(row)
    return np.array(list(found.values()), np.intp), np.array(list(found), np.intp)


def _correct(
    tracks: Tracks,
    seen: Sightings,
    gaps: _Gaps,
    pairs: _Pairs,
    rules: Rules,
) -> Tracks:
    """Kalman update of the tracks that were seen; the others stay as they are."""
    # An older frame refines nothing backwards in time: the track keeps its newer moment.
    near, east, north, dt = gaps
    fresh = dt[pairs[0], 0] >= 0.0
    pairs = pairs[0][fresh], pairs[1][fresh]
    rows, r, dt = near[pairs[0], 0], seen.covariance[pairs[1]], dt[pairs[0], 0]
    if not len(rows):
        return tracks
    p = _predict(tracks.covariance[rows], dt, rules)
    gain = p[:, :, :2] @ _inverse(p[:, :2, :2] + r)
    shift = (gain @ np.stack((east[pairs], north[pairs]), axis=-1)[:, :, None])[:, :, 0]
    moved = tracks.velocity[rows] * dt[:, None] + shift[:, :2]
    per_lon = _EARTH_M_PER_DEGREE * np.cos(np.radians(tracks.latitude[rows]))
    seconds, sightings = tracks.seconds.copy(), tracks.sightings.copy()
    latitude, longitude = tracks.latitude.copy(), tracks.longitude.copy()
    velocity, covariance = tracks.velocity.copy(), tracks.covariance.copy()
    seconds[rows] = seen.seconds
    turned = longitude[rows] + moved[:, 0] / per_lon
    longitude[rows] = np.mod(turned + 180.0, 360.0) - 180.0
    latitude[rows] += moved[:, 1] / _EARTH_M_PER_DEGREE
    velocity[rows] += shift[:, 2:]
    # Joseph's form keeps the covariance symmetric and positive.
    keep = np.zeros(p.shape)
    keep[:] = np.eye(4)
    keep[:, :, :2] -= gain
    covariance[rows] = keep @ p @ keep.swapaxes(1, 2) + gain @ r @ gain.swapaxes(1, 2)
    sightings[rows] += 1
    return replace(
        tracks,
        seconds=seconds,
        latitude=latitude,
        longitude=longitude,
        velocity=velocity,
        covariance=covariance,
        sightings=sightings,
    )


def _inverse(matrices: Array) -> Array:
    """Of (R, 2, 2), symmetric."""
    a, b, d = matrices[:, 0, 0], matrices[:, 0, 1], matrices[:, 1, 1]
    inverse = np.empty(matrices.shape)
    inverse[:, 0, 0], inverse[:, 1, 1] = d, a
    inverse[:, 0, 1] = inverse[:, 1, 0] = -b
    return inverse / (a * d - b * b)[:, None, None]


def _born(seen: Sightings, newborn: NDArray[np.intp], rules: Rules) -> Tracks:
    """A track for each sighting that belongs to none."""
    covariance = np.zeros((len(newborn), 4, 4))
    covariance[:, :2, :2] = seen.covariance[newborn]
    covariance[:, 2, 2] = covariance[:, 3, 3] = rules.first_speed_mps**2
    return Tracks(
        uid=tuple(f"sightline-{uuid.uuid5(_NAMESPACE, seen.seed[i])}" for i in newborn),
        class_name=tuple(seen.class_name[i] for i in newborn),
        seconds=np.full(len(newborn), seen.seconds),
        latitude=seen.latitude[newborn],
        longitude=seen.longitude[newborn],
        velocity=np.zeros((len(newborn), 2)),
        covariance=covariance,
        sightings=np.ones(len(newborn), dtype=np.int64),
    )


def _answer(tracks: Tracks, owner: NDArray[np.intp], newborn: NDArray[np.intp]) -> Assignment:
    velocity = tracks.velocity[owner]
    speed = np.hypot(velocity[:, 0], velocity[:, 1])
    trace = tracks.covariance[owner][:, 2, 2] + tracks.covariance[owner][:, 3, 3]
    known = (tracks.sightings[owner] >= _SETTLED_SIGHTINGS) & (
        speed > _MOVING_SIGMAS * np.sqrt(trace / 2.0)
    )
    course = np.mod(np.degrees(np.arctan2(velocity[:, 0], velocity[:, 1])), 360.0)
    is_new = np.zeros(len(owner), dtype=np.bool_)
    is_new[newborn] = True
    return Assignment(
        uid=tuple(tracks.uid[i] for i in owner),
        is_new=is_new,
        course=np.where(known, course, np.nan),
        speed_mps=np.where(known, speed, np.nan),
    )
