"""What can go wrong in geolocation as a whole (a single unplaced pixel is an answer, no error)."""


class GeolocationError(Exception):
    """Base of the errors of this package."""


class GeoidError(GeolocationError):
    """The geoid cannot be trusted."""
