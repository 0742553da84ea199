"""Where a camera was, how it looked, through which lens, and how well each of that is known."""

from __future__ import annotations

import math
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta

from sightline.messages.value import Latitude, Longitude, PixelCount, Value

AltitudeReference: TypeAlias = Literal["hae", "msl", "agl"]
Platform: TypeAlias = Literal["fixed", "drone", "drone_rtk", "aircraft"]

Focal = Annotated[float, Meta(gt=0, le=1_000_000)]
Coefficient = Annotated[float, Meta(ge=-1_000, le=1_000)]
SigmaMetres = Annotated[float, Meta(ge=0, le=10_000, description="one sigma, metres")]
SigmaDegrees = Annotated[float, Meta(ge=0, le=180, description="one sigma, degrees")]


class Position(Value, frozen=True, kw_only=True):
    """The camera's own position, in WGS84 degrees and metres."""

    latitude: Latitude
    longitude: Longitude
    altitude: Annotated[float, Meta(ge=-1_000, le=100_000, description="metres")]
    altitude_reference: Annotated[
        AltitudeReference,
        Meta(
            description="hae: above the WGS84 ellipsoid; msl: above mean sea level (EGM96);"
            " agl: above the configured ground"
        ),
    ]

    def __post_init__(self) -> None:
        if self.latitude == 0.0 and self.longitude == 0.0:
            raise ValueError("latitude and longitude are both exactly 0, which means unset")


class Attitude(Value, frozen=True, kw_only=True):
    """The attitude of the camera itself (not of the airframe): degrees, intrinsic ZYX."""

    heading: Annotated[float, Meta(ge=-180, le=360, description="clockwise from true north")]
    pitch: Annotated[float, Meta(ge=-90, le=90, description="0 level, -90 straight down")]
    roll: Annotated[float, Meta(ge=-180, le=180, description="right side down positive")] = 0.0


class Distortion(Value, frozen=True, kw_only=True):
    """Brown-Conrady coefficients, named and ordered as in OpenCV."""

    k1: Coefficient = 0.0
    k2: Coefficient = 0.0
    p1: Coefficient = 0.0
    p2: Coefficient = 0.0
    k3: Coefficient = 0.0


class Intrinsics(Value, frozen=True, kw_only=True):
    """The lens, for an image of the stated size: one of three ways to state the focal length.

    A detection's image may be a scaled copy: focal length and principal point scale with it.
    """

    image_width: PixelCount
    image_height: PixelCount
    focal_px: Focal | None = None
    focal_mm: Focal | None = None
    sensor_width_mm: Annotated[float, Meta(gt=0, le=1_000)] | None = None
    hfov: Annotated[float, Meta(gt=0, lt=180, description="horizontal, degrees")] | None = None
    principal_point: (
        Annotated[
            tuple[float, float],
            Meta(description="pixels from the upper left corner; default: the image's centre"),
        ]
        | None
    ) = None
    distortion: Distortion | None = None

    def __post_init__(self) -> None:
        by_millimetres = self.focal_mm is not None or self.sensor_width_mm is not None
        if by_millimetres and (self.focal_mm is None or self.sensor_width_mm is None):
            raise ValueError("focal_mm and sensor_width_mm belong together: one of them is missing")
        stated = [self.focal_px is not None, by_millimetres, self.hfov is not None]
        if sum(stated) != 1:
            raise ValueError(
                "state exactly one of focal_px, focal_mm with sensor_width_mm, or hfov"
                f" ({sum(stated)} stated)"
            )
        if self.principal_point is not None:
            for name, value, size in zip(
                ("x", "y"),
                self.principal_point,
                (self.image_width, self.image_height),
                strict=True,
            ):
                if not -size <= value <= 2 * size:
                    raise ValueError(
                        f"principal_point {name}: {value:g} is outside -{size}..{2 * size}"
                    )

    @property
    def focal_pixels(self) -> float:
        """Focal length in pixels of an image of the stated size."""
        if self.focal_px is not None:
            return self.focal_px
        if self.focal_mm is not None and self.sensor_width_mm is not None:
            return self.focal_mm / self.sensor_width_mm * self.image_width
        if self.hfov is not None:
            return self.image_width / 2.0 / math.tan(math.radians(self.hfov) / 2.0)
        raise AssertionError("__post_init__ lets no intrinsics without a focal length through")

    @property
    def centre(self) -> tuple[float, float]:
        """Principal point in pixels from the upper left corner."""
        if self.principal_point is not None:
            return self.principal_point
        return self.image_width / 2.0, self.image_height / 2.0


class Accuracy(Value, frozen=True, kw_only=True):
    """One sigma of each input; a field that is left out takes the default of the platform."""

    horizontal_m: SigmaMetres | None = None
    """Position, per horizontal axis."""
    vertical_m: SigmaMetres | None = None
    heading: SigmaDegrees | None = None
    pitch: SigmaDegrees | None = None
    roll: SigmaDegrees | None = None
    focal: Annotated[float, Meta(ge=0, le=1, description="one sigma, fraction")] | None = None
    pixel: Annotated[float, Meta(ge=0, le=10_000, description="one sigma, pixels")] | None = None
    """Where in the image the object is, per axis, over and above what its box tells."""


ACCURACY_DEFAULTS: dict[Platform, Accuracy] = {
    # A surveyed mast: what a careful installation reaches with a handheld GNSS and a calibration.
    "fixed": Accuracy(
        horizontal_m=1.0, vertical_m=1.0, heading=0.5, pitch=0.3, roll=0.3, focal=0.005, pixel=1.0
    ),
    # Consumer drone: fitted gimbal yaw is typically 5 to 10 degrees off without a correction
    # (shared reference, oceanographers' coastline fits), so 1 or 2 degrees would not be honest.
    "drone": Accuracy(
        horizontal_m=2.0, vertical_m=3.0, heading=5.0, pitch=1.0, roll=1.0, focal=0.01, pixel=2.0
    ),
    "drone_rtk": Accuracy(
        horizontal_m=0.1, vertical_m=0.15, heading=1.5, pitch=0.5, roll=0.5, focal=0.005, pixel=1.0
    ),
    "aircraft": Accuracy(
        horizontal_m=2.0, vertical_m=3.0, heading=0.5, pitch=0.2, roll=0.2, focal=0.005, pixel=1.0
    ),
}


class Sensor(Value, frozen=True, kw_only=True):
    """A camera at the moment of a frame."""

    position: Position
    attitude: Attitude
    intrinsics: Intrinsics
    accuracy: Accuracy = Accuracy()
    platform: Platform = "drone"
    angle_unit: Annotated[
        Literal["degrees"] | None,
        Meta(description="state it to confirm that very small angles really are degrees"),
    ] = None

    def __post_init__(self) -> None:
        hfov = self.intrinsics.hfov
        attitude = self.attitude
        if (
            self.angle_unit is None
            and hfov is not None
            and hfov <= math.pi
            and abs(attitude.heading) <= 2 * math.pi
            and abs(attitude.pitch) <= math.pi / 2
            and abs(attitude.roll) <= math.pi
        ):
            raise ValueError(
                f"intrinsics.hfov {hfov:g}, heading {attitude.heading:g}, pitch {attitude.pitch:g}"
                f" and roll {attitude.roll:g} all look like radians: angles are degrees"
                ' (state angle_unit: "degrees" if a lens this narrow is meant)'
            )

    def sigmas(self) -> Accuracy:
        """One sigma of every input: as stated, else the platform's default."""
        default = ACCURACY_DEFAULTS[self.platform]
        return Accuracy(
            **{
                name: value if value is not None else getattr(default, name)
                for name in Accuracy.__struct_fields__
                for value in (getattr(self.accuracy, name),)
            }
        )
