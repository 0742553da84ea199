"""Frames of drones and masts over a painted landscape, with the truth of every object in them.

simulator = Simulator(Scenario.default(seed=7, cameras=3))
for shot in simulator.frames(rate_hz=10, count=100):
    shot.jpeg, shot.frame.sensor, shot.truth
"""

from sightline.simulator.export import export
from sightline.simulator.scenario import Light, Scenario, SimulatedCamera
from sightline.simulator.simulator import START, SimulatedFrame, Simulator, TrueObject

__all__ = [
    "START",
    "Light",
    "Scenario",
    "SimulatedCamera",
    "SimulatedFrame",
    "Simulator",
    "TrueObject",
    "export",
]
