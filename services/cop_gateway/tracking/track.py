"""Tracks: where every object was last, how fast it moves, and how well both are known."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """How objects may move and when a track is given up."""

    acceleration_mps2: float = 1.5
    """One sigma of an object's unpredictable acceleration, per axis."""
    first_speed_mps: float = 8.0
    """One sigma of the speed of an object that was seen only once, per axis."""
    gate: float = 20.0
    """Largest squared Mahalanobis distance of a sighting to its track: 99.995 % of two dimensions.

    Generous, since a track that is torn in two is worse than one that swallows an outlier.
    """
    other_class: float = 6.0
    """Added to that distance when the class differs: models change their minds."""
    timeout_seconds: float = 60.0
    """A track that was not seen for so long is over."""
    most_tracks: int = 20_000


@dataclass(frozen=True, kw_only=True, slots=True)
class Sightings:
    """What one frame placed on the ground, (N,): degrees, m² (east, north), class names.

    `seed` names each sighting uniquely for ever; the uid of a new track is made from it.
    """

    seconds: float
    """When, in seconds since the epoch."""
    latitude: Array
    longitude: Array
    covariance: Array
    """(N, 2, 2)."""
    class_name: tuple[str, ...]
    seed: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Tracks:
    """Every living track, (T,): a value, never changed in place.

    `velocity` is (T, 2) east and north in m/s; `covariance` (T, 4, 4) of east, north and the two
    velocities, in metres and seconds.
    """

    uid: tuple[str, ...]
    class_name: tuple[str, ...]
    seconds: Array
    latitude: Array
    longitude: Array
    velocity: Array
    covariance: Array
    sightings: NDArray[np.int64]

    @classmethod
    def none(cls) -> Tracks:
        """No tracks yet."""
        return cls(
            uid=(),
            class_name=(),
            seconds=np.zeros(0),
            latitude=np.zeros(0),
            longitude=np.zeros(0),
            velocity=np.zeros((0, 2)),
            covariance=np.zeros((0, 4, 4)),
            sightings=np.zeros(0, dtype=np.int64),
        )

    def __len__(self) -> int:
        return len(self.uid)

    def keep(self, chosen: NDArray[np.intp]) -> Tracks:
        """Only the chosen tracks, in that order."""
        return Tracks(
            uid=tuple(self.uid[i] for i in chosen),
            class_name=tuple(self.class_name[i] for i in chosen),
            seconds=self.seconds[chosen],
            latitude=self.latitude[chosen],
            longitude=self.longitude[chosen],
            velocity=self.velocity[chosen],
            covariance=self.covariance[chosen],
            sightings=self.sightings[chosen],
        )

    def plus(self, others: Tracks) -> Tracks:
        """These tracks and the others."""
        return Tracks(
            uid=self.uid + others.uid,
            class_name=self.class_name + others.class_name,
            seconds=np.concatenate((self.seconds, others.seconds)),
            latitude=np.concatenate((self.latitude, others.latitude)),
            longitude=np.concatenate((self.longitude, others.longitude)),
            velocity=np.concatenate((self.velocity, others.velocity)),
            covariance=np.concatenate((self.covariance, others.covariance)),
            sightings=np.concatenate((self.sightings, others.sightings)),
        )
