"""Where on the ground a pixel is, and how well that is known. Pure: arrays in, arrays out."""

from cop_gateway.geolocation.accuracy import ce90, flag, tle_category
from cop_gateway.geolocation.camera import Camera, pixel_rays, project
from cop_gateway.geolocation.errors import GeoidError, GeolocationError
from cop_gateway.geolocation.geoid import undulation
from cop_gateway.geolocation.placement import Fixes, Limits, Sigmas, locate
from cop_gateway.geolocation.wgs84 import ecef_from_geodetic, geodetic_from_ecef

__all__ = [
    "Camera",
    "Fixes",
    "GeoidError",
    "GeolocationError",
    "Limits",
    "Sigmas",
    "ce90",
    "ecef_from_geodetic",
    "flag",
    "geodetic_from_ecef",
    "locate",
    "pixel_rays",
    "project",
    "tle_category",
    "undulation",
]
