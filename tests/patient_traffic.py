"""The clients that users have: python patient_traffic.py PLAN.json, until SIGTERM.

They are sightline.client's, whose calls are made again where nobody answers: only what their users
would see counts as a failure. The plan and the document at the end are those of traffic.py.
"""

from __future__ import annotations

import json
import signal
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from sightline.client import Client, ClientError
from sightline.messages import DetectionReport, Frame, Placement, decode
from traffic import Plan, Tally


def reports(client: Client, plan: Plan, name: str, number: int) -> int:
    """One frame with two cars in it; how many were placed."""
    document = {
        "frame": {
            "frame_id": str(number),
            "camera_id": name,
            "captured_at": datetime.now(UTC).isoformat(),
            "sensor": plan.sensor,
        },
        "detections": [
            {"class": "car", "confidence": 0.9, "box": [100 + 90 * i, 200, 140 + 90 * i, 230]}
            for i in range(2)
        ],
    }
    client.report(decode(json.dumps(document).encode(), DetectionReport))
    return 2


def pictures(client: Client, plan: Plan, name: str, number: int) -> int:
    """One picture with its frame; how many things in it were placed."""
    frame = plan.frame | {
        "frame_id": str(number),
        "camera_id": name,
        "captured_at": datetime.now(UTC).isoformat(),
    }
    answer = client.detect(plan.image, frame=decode(json.dumps(frame).encode(), Frame))
    return sum(isinstance(each.event, Placement) for each in answer.detections)


def work(
    plan: Plan,
    url: str,
    key: str,
    name: str,
    tally: Tally,
    stop: threading.Event,
    one: Callable[[Client, Plan, str, int], int],
    pause: float,
) -> None:
    """One user, who asks again and again."""
    with Client(url, key=key) as client:
        number = 0
        while not stop.is_set():
            began = time.monotonic()
            tally.requests += 1
            try:
                placed = one(client, plan, name, number)
            except ClientError as error:
                tally.failed(name, repr(error))
            else:
                tally.acknowledged.append((name, str(number), placed))
                tally.answers.setdefault(name, []).append(round(time.time(), 3))
            number += 1
            stop.wait(max(0.0, pause - (time.monotonic() - began)))


def main(path: Path) -> None:
    """Run it and tell."""
    plan, tally, stop = Plan.read(path), Tally(), threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    threads = []
    for number in range(plan.clients):
        for kind, url, key, one, pause in (
            ("report", plan.gateway, plan.gateway_key, reports, 1.0 / plan.rate),
            ("picture", plan.detection, plan.detection_key, pictures, 4.0 / plan.rate),
        ):
            if kind in plan.kinds:
                name = f"{plan.run}-{kind}-patient-{number}"
                given = (plan, url, key, name, tally, stop, one, pause)
                threads.append(threading.Thread(target=work, args=given))
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    json.dump(vars(tally), sys.stdout)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
