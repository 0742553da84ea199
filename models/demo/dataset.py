"""Training frames: random landscapes, light, lenses and poses out of the simulator.

    python models/demo/dataset.py OUT --worlds 40 --frames 50 --seed 10000 [--default]

Seeds below 10,000 are never trained on: the demo and the tests use those.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from multiprocessing import Pool
from pathlib import Path

import cv2
import numpy as np

from sightline.simulator import Light, Scenario, SimulatedCamera, Simulator
from sightline.simulator.flight import Mast, Pose


def random_light(rng: np.random.Generator) -> Light:
    """From noon to dusk, clear to hazy, sharp to soft."""
    return Light(
        sun_azimuth=float(rng.uniform(0, 360)),
        sun_elevation=float(rng.uniform(22, 75)),
        gain=float(rng.uniform(0.6, 1.3)),
        gamma=float(rng.uniform(0.75, 1.35)),
        haze=float(rng.uniform(0.0, 0.3)),
        cast=(
            float(rng.uniform(0.85, 1.15)),
            float(rng.uniform(0.9, 1.1)),
            float(rng.uniform(0.85, 1.15)),
        ),
        blur_px=float(rng.uniform(0.0, 1.1)),
        grain=float(rng.uniform(0.0, 8.0)),
        jpeg_quality=int(rng.integers(60, 96)),
    )


def random_camera(rng: np.random.Generator) -> tuple[SimulatedCamera, Pose]:
    """A pose that looks at the populated middle of the scene, through some lens."""
    bearing, away = rng.uniform(0, 2 * np.pi), rng.uniform(10, 110)
    target = rng.normal(0, 45, 2)
    east, north = away * np.sin(bearing) + target[0], away * np.cos(bearing) + target[1]
    above = float(rng.uniform(32, 100))
    heading = np.degrees(np.arctan2(target[0] - east, target[1] - north)) + rng.normal(0, 8)
    pitch = -np.degrees(np.arctan2(above, away)) + rng.normal(0, 4)
    pose = Pose(
        east=float(east),
        north=float(north),
        above_ground_m=above,
        heading=float(heading % 360),
        pitch=float(np.clip(pitch, -89, -24)),
        roll=float(rng.normal(0, 4)),
    )
    bend = rng.random() < 0.5
    lens = (
        float(rng.uniform(-0.15, 0.05)), float(rng.uniform(0, 0.03)),
        float(rng.normal(0, 0.0006)), float(rng.normal(0, 0.0006)), 0.0,
    )  # fmt: skip
    camera = SimulatedCamera(
        camera_id="random",
        platform="drone",
        flight=Mast(pose=pose),
        altitude_reference="hae",
        accuracy=Scenario.default(cameras=1).cameras[0].accuracy,
        focal_px=float(rng.uniform(750, 1150)),
        distortion=lens if bend else (0.0, 0.0, 0.0, 0.0, 0.0),
    )
    return camera, pose


def world(seed: int, frames: int, out: Path) -> int:
    """Frames of one random landscape; how many were written."""
    rng = np.random.default_rng([seed, 9])
    scenario = replace(
        Scenario.default(seed=seed, cameras=1),
        vehicles=int(rng.integers(8, 26)),
        people=int(rng.integers(10, 45)),
        boats=int(rng.integers(2, 8)),
    )
    simulator = Simulator(scenario)
    written = 0
    while written < frames:
        camera, pose = random_camera(rng)
        light = random_light(rng)
        image, truth = simulator.render(
            camera, pose, float(rng.uniform(0, 600)), light=light, rng=rng
        )
        if not truth and rng.random() < 0.8:
            continue
        write(out / f"{seed}-{written:04d}", image, truth, light.jpeg_quality)
        written += 1
    return written


def default_world(seed: int, frames: int, out: Path) -> int:
    """Frames of the demo's own scenario."""
    for shot in Simulator(Scenario.default(seed=seed)).frames(rate_hz=1.5, count=frames):
        image = cv2.imdecode(np.frombuffer(shot.jpeg, np.uint8), cv2.IMREAD_COLOR)
        write(out / f"{seed}-{shot.frame.frame_id}", image, shot.truth, 92)
    return frames


def write(stem: Path, image: np.ndarray, truth, quality: int) -> None:
    """A picture and its truth."""
    cv2.imwrite(str(stem) + ".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
    Path(str(stem) + ".json").write_text(
        json.dumps([[each.class_name, *each.box, each.visible] for each in truth])
    )


def main() -> None:
    """Write the frames, several landscapes at once."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--worlds", type=int, default=40)
    parser.add_argument("--frames", type=int, default=50)
    parser.add_argument("--seed", type=int, default=10_000)
    parser.add_argument("--default", action="store_true", help="the demo's scenario instead")
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    make = default_world if options.default else world
    jobs = [(options.seed + i, options.frames, options.out) for i in range(options.worlds)]
    with Pool(options.processes) as pool:
        print(sum(pool.starmap(make, jobs)), "frames")


if __name__ == "__main__":
    main()
