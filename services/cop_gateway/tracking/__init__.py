"""Which sighting is which object: one uid for each tracked object. Pure: state in, state out."""

from cop_gateway.tracking.track import Rules, Sightings, Tracks
from cop_gateway.tracking.update import Assignment, step

__all__ = ["Assignment", "Rules", "Sightings", "Tracks", "step"]
