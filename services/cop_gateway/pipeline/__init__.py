"""Frames in, records out: placed, tracked and written as CoT. No sockets, no clock, no database."""

from cop_gateway.pipeline.doctrine import Doctrine
from cop_gateway.pipeline.ground import CameraSite, Ground
from cop_gateway.pipeline.picture import Picture, World, advance
from cop_gateway.pipeline.placing import Placed, place
from cop_gateway.pipeline.retraction import Withdrawal

__all__ = [
    "CameraSite",
    "Doctrine",
    "Ground",
    "Picture",
    "Placed",
    "Withdrawal",
    "World",
    "advance",
    "place",
]
