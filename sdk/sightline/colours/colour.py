"""Colours and components, and what their objects in the cluster are called."""

from __future__ import annotations

from typing import Literal, TypeAlias

import msgspec

Colour: TypeAlias = Literal["blue", "green"]
Component: TypeAlias = Literal["cop-gateway", "detection"]
Role: TypeAlias = Literal["active", "preview"]

COLOURS: tuple[Colour, ...] = ("blue", "green")
COMPONENTS: tuple[Component, ...] = ("cop-gateway", "detection")
"""In the order in which they are switched."""

PORTS: dict[Component, int] = {"cop-gateway": 8001, "detection": 8000}


class Fact(msgspec.Struct, frozen=True, kw_only=True, rename={"from_": "from"}):
    """The base of every value here: frozen, and JSON as it is."""


def other(colour: Colour) -> Colour:
    """The one that it is not."""
    return "green" if colour == "blue" else "blue"


def service(component: Component, role: Role | Colour) -> str:
    """The Service's name."""
    return f"{component}-{role}"


def workload(component: Component, colour: Colour) -> str:
    """The name of a colour's Deployment, and of its autoscaler."""
    return f"{component}-{colour}"
