"""The configured ground, and the cameras that are known beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from cop_gateway.geolocation import undulation
from sightline.messages import Sensor


@dataclass(frozen=True, kw_only=True, slots=True)
class CameraSite:
    """A camera that the operator configured: its sensor when it is fixed, its own ground height."""

    sensor: Sensor | None = None
    ground_height_m: float | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Ground:
    """The height of the ground, in metres above the ellipsoid (hae) or mean sea level (msl)."""

    height_m: float
    reference: Literal["hae", "msl"] = "hae"
    sigma_m: float = 3.0
    cameras: Mapping[str, CameraSite] = field(default_factory=dict)

    def sensor(self, camera_id: str, stated: Sensor | None) -> Sensor | None:
        """The sensor as the frame states it, else as it was configured."""
        if stated is not None:
            return stated
        site = self.cameras.get(camera_id)
        return site.sensor if site else None

    def hae(self, camera_id: str, latitude: float, longitude: float) -> float:
        """Metres of the ground above the ellipsoid, around a camera at these degrees."""
        site = self.cameras.get(camera_id)
        height = self.height_m
        if site is not None and site.ground_height_m is not None:
            height = site.ground_height_m
        if self.reference == "msl":
            height += float(undulation(latitude, longitude))
        return height
