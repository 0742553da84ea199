"""Load for crash tests: cameras that send on and on, and what must have arrived in the end.

Whatever happened, an independent TAK client must have seen every detection of each acknowledged
frame, each camera's in order, and none that nobody sent.
"""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from http.client import HTTPException

from running import Gateway, TakClient, report, wait_for

CARS = 2


@dataclass
class Producers:
    """Cameras that send frame after frame, each to the gateways in turn, until they are stopped.

    A frame that was not acknowledged is sent again, to the next gateway, before the one after it.
    """

    gateways: list[Gateway]
    cameras: int = 3
    acknowledged: list[tuple[str, str]] = field(default_factory=list)
    refused: int = 0
    _stop: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)

    def start(self) -> None:
        self._stop.clear()
        self._threads = [
            threading.Thread(target=self._run, args=(f"camera-{i}",)) for i in range(self.cameras)
        ]
        for thread in self._threads:
            thread.start()

    def get_on(self, frames: int) -> None:
        """Return once so many more frames are acknowledged."""
        before = len(self.acknowledged)
        wait_for(lambda: len(self.acknowledged) > before + frames, what=f"{frames} more frames")

    def stop(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self, camera: str) -> None:
        sent = sum(name == camera for name, _ in self.acknowledged)
        turn = 0
        while not self._stop.is_set():
            gateway = self.gateways[turn % len(self.gateways)]
            try:
                answer = gateway.post(report(str(sent), camera=camera, cars=CARS))
            except (OSError, HTTPException):
                turn += 1
                time.sleep(0.01)
                continue
            if answer.status == 201:
                self.acknowledged.append((camera, str(sent)))
                sent += 1
            else:
                self.refused += 1
                assert answer.status in (503, 507), answer.body
                turn += 1
                time.sleep(0.01)


def arrived(client: TakClient, acknowledged: list[tuple[str, str]]) -> None:
    """Every detection of every acknowledged frame, each camera's frames in order."""
    expected = {(camera, frame, index) for camera, frame in acknowledged for index in range(CARS)}
    wait_for(
        lambda: expected <= set(client.sightings()), seconds=60,
        what=f"all of {len(expected)} sightings",
    )  # fmt: skip
    seen = client.sightings()
    for camera in {camera for camera, _ in acknowledged}:
        order = list(dict.fromkeys(int(frame) for c, frame, _ in seen if c == camera))
        assert order == sorted(order)
        # One that was committed and whose answer was lost is sent again, and is the same frame.
        assert order == list(range(len(order)))


def delivered(gateway: Gateway) -> None:
    wait_for(lambda: gateway.get("/v1/sinks/tak")["lag_events"] == 0, seconds=60, what="delivery")


def went_back(client: TakClient) -> int:
    """How often the stream began again at an earlier frame: once for each new connection at most.

    Two that deliver side by side go back and forth.
    """
    newest: dict[str, int] = {}
    count, again = 0, False
    for camera, frame, _ in client.sightings():
        back = int(frame) < newest.get(camera, -1)
        newest[camera] = max(int(frame), newest.get(camera, -1))
        count += back and not again
        again = back
    return count
