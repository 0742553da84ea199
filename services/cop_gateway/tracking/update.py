"""One step of the tracker: the tracks so far and a frame's sightings → the tracks from now on.

A constant-velocity Kalman filter in local east and north metres per track; sightings are assigned
to tracks by ascending Mahalanobis distance within a gate (global nearest neighbour), over all
cameras, since they share the ground. Source: Bar-Shalom, Li, Kirubarajan, "Estimation with
Applications to Tracking and Navigation", 2001, ch. 6.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from cop_gateway.tracking.track import Array, Rules, Sightings, Tracks

_NAMESPACE = uuid.UUID("6f1d4f0e-3d0c-5b2a-9a51-5f5f0b9c2e11")
_EARTH_M_PER_DEGREE = 111_195.0
_MOVING_SIGMAS = 3.0
_SETTLED_SIGHTINGS = 4


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
        east, north, predicted = _predict(tracks, seen, rules)
        owner = _assign(tracks, seen, (east, north), predicted, rules)
        tracks = _correct(tracks, seen, owner, predicted)
    newborn = np.flatnonzero(owner < 0)
    owner[newborn] = len(tracks) + np.arange(len(newborn))
    tracks = tracks.plus(_born(seen, newborn, rules))
    return tracks, _answer(tracks, owner, newborn)


def _alive(tracks: Tracks, now: float, rules: Rules) -> Tracks:
    living = np.flatnonzero(now - tracks.seconds <= rules.timeout_seconds)
    if len(living) > rules.most_tracks:
        newest = np.argsort(tracks.seconds[living], kind="stable")[-rules.most_tracks :]
        living = np.sort(living[newest])
    return tracks if len(living) == len(tracks) else tracks.keep(living)


def _predict(tracks: Tracks, seen: Sightings, rules: Rules) -> tuple[Array, Array, Array]:
    """Offsets (T, N) of the sightings from where the tracks should be now, and (T, 4, 4).

    A frame older than a track's last (cameras do not share a network) is compared with the track
    as it was then: the uncertainty grows with the distance in time either way.
    """
    dt = seen.seconds - tracks.seconds
    per_lon = _EARTH_M_PER_DEGREE * np.cos(np.radians(tracks.latitude))
    d_lon = np.mod(seen.longitude[None, :] - tracks.longitude[:, None] + 180.0, 360.0) - 180.0
    east = d_lon * per_lon[:, None] - (tracks.velocity[:, 0] * dt)[:, None]
    north = (seen.latitude[None, :] - tracks.latitude[:, None]) * _EARTH_M_PER_DEGREE
    north = north - (tracks.velocity[:, 1] * dt)[:, None]
    transition = np.broadcast_to(np.eye(4), (len(tracks), 4, 4)).copy()
    transition[:, 0, 2] = transition[:, 1, 3] = dt
    span = np.abs(dt)
    variance = rules.acceleration_mps2**2
    noise = np.zeros((len(tracks), 4, 4))
    for axis in (0, 1):
        noise[:, axis, axis] = variance * span**4 / 4.0
        noise[:, axis, axis + 2] = noise[:, axis + 2, axis] = variance * span**2 * dt / 2.0
        noise[:, axis + 2, axis + 2] = variance * span**2
    return east, north, transition @ tracks.covariance @ transition.swapaxes(1, 2) + noise


def _assign(
    tracks: Tracks, seen: Sightings, offset: tuple[Array, Array], predicted: Array, rules: Rules
) -> NDArray[np.intp]:
    """The track of each sighting, or −1; each track takes at most one sighting of a frame."""
    east, north = offset
    spread = predicted[:, None, :2, :2] + seen.covariance[None, :, :, :]
    a, b, d = spread[..., 0, 0], spread[..., 0, 1], spread[..., 1, 1]
    det = a * d - b * b
    distance = (d * east**2 - 2.0 * b * east * north + a * north**2) / det
    same = np.array(tracks.class_name)[:, None] == np.array(seen.class_name)[None, :]
    distance = distance + np.where(same, 0.0, rules.other_class)
    # A vague track is close to everything: its own spread counts against it (log-likelihood).
    cost = distance + np.log(det)
    owner = np.full(len(seen.seed), -1, dtype=np.intp)
    rows, columns = np.nonzero(distance <= rules.gate)
    taken: set[int] = set()
    for k in np.argsort(cost[rows, columns], kind="stable"):
        row, column = int(rows[k]), int(columns[k])
        if owner[column] < 0 and row not in taken:
            owner[column] = row
            taken.add(row)
    return owner


def _correct(tracks: Tracks, seen: Sightings, owner: NDArray[np.intp], predicted: Array) -> Tracks:
    """Kalman update of the tracks that were seen; the others stay as they are."""
    matched = np.flatnonzero(owner >= 0)
    if not len(matched):
        return tracks
    rows = owner[matched]
    p = predicted[rows]
    gain = p[:, :, :2] @ np.linalg.inv(p[:, :2, :2] + seen.covariance[matched])
    dt = seen.seconds - tracks.seconds[rows]
    per_lon = _EARTH_M_PER_DEGREE * np.cos(np.radians(tracks.latitude[rows]))
    d_lon = np.mod(seen.longitude[matched] - tracks.longitude[rows] + 180.0, 360.0) - 180.0
    travelled = tracks.velocity[rows] * dt[:, None]
    residual = np.stack(
        (
            d_lon * per_lon - travelled[:, 0],
            (seen.latitude[matched] - tracks.latitude[rows]) * _EARTH_M_PER_DEGREE
            - travelled[:, 1],
        ),
        axis=-1,
    )
    shift = (gain @ residual[:, :, None])[:, :, 0]
    # An older frame refines nothing backwards in time: the track keeps its newer moment.
    fresh = dt >= 0.0
    rows, shift, gain, p = rows[fresh], shift[fresh], gain[fresh], p[fresh]
    travelled, per_lon = travelled[fresh], per_lon[fresh]
    seconds, sightings = tracks.seconds.copy(), tracks.sightings.copy()
    latitude, longitude = tracks.latitude.copy(), tracks.longitude.copy()
    velocity, covariance = tracks.velocity.copy(), tracks.covariance.copy()
    seconds[rows] = seen.seconds
    longitude[rows] += (travelled[:, 0] + shift[:, 0]) / per_lon
    latitude[rows] += (travelled[:, 1] + shift[:, 1]) / _EARTH_M_PER_DEGREE
    longitude = np.mod(longitude + 180.0, 360.0) - 180.0
    velocity[rows] += shift[:, 2:]
    # Joseph's form keeps the covariance symmetric and positive.
    keep = np.broadcast_to(np.eye(4), p.shape).copy()
    keep[:, :, :2] -= gain
    r = seen.covariance[matched][fresh]
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
