"""Cursor on Target: what an event says and how it travels. Pure: values and bytes only."""

from cop_gateway.cot.catalogue import Catalogue, ObjectClass
from cop_gateway.cot.errors import CatalogueError, CotError, FramingError
from cop_gateway.cot.event import CotEvent, Marks, Point, to_xml
from cop_gateway.cot.ping import Stamp, is_ping, is_pong, ping, pong, stamp
from cop_gateway.cot.stream import EventSplitter

__all__ = [
    "Catalogue",
    "CatalogueError",
    "CotError",
    "CotEvent",
    "EventSplitter",
    "FramingError",
    "Marks",
    "ObjectClass",
    "Point",
    "Stamp",
    "is_ping",
    "is_pong",
    "ping",
    "pong",
    "stamp",
    "to_xml",
]
