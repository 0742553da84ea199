"""Train the demo's detector on frames of dataset.py and export it as ONNX.

    python models/demo/dataset.py FRAMES/train
    python models/demo/train.py FRAMES/train --minutes 40
    python models/demo/train.py FRAMES/more --minutes 40 --resume models/demo/demo.onnx

Needs torch (any from 1.13: Debian's python3-torch is enough), OpenCV and onnx.
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import os
import time
from pathlib import Path

import cv2
import numpy as np
import onnx
import torch
from loss import DetectionLoss
from network import CLASSES, Detector, Exported
from resume import resume
from torch import Tensor

HEIGHT, WIDTH = 544, 960
CROP = 320
HERE = Path(__file__).parent
_SMALLEST = 9.0
"""Objects smaller than this (root of the box's area, pixels) are neither asked for nor punished."""


class Frames:
    """Crops of the frames of a folder, decoded once and kept in memory."""

    def __init__(self, folder: Path) -> None:
        self.pictures: list[np.ndarray] = []
        self.truth: list[np.ndarray] = []
        for path in sorted(folder.glob("*.jpg")):
            self.pictures.append(cv2.imread(str(path)))
            rows = json.loads(path.with_suffix(".json").read_text())
            self.truth.append(
                np.array(
                    [[CLASSES.index(row[0]), *row[1:]] for row in rows], dtype=np.float32
                ).reshape(-1, 6)
            )

    def crop(self, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """A square (CROP, CROP, 3) and its truth: class, box, visible share."""
        index = int(rng.integers(len(self.pictures)))
        picture, truth = self.pictures[index], self.truth[index]
        height, width = picture.shape[:2]
        size = int(CROP / rng.uniform(0.8, 1.25))
        if len(truth) and rng.random() < 0.85:
            box = truth[int(rng.integers(len(truth)))][1:5]
            x = int((box[0] + box[2]) / 2 - rng.uniform(0.1, 0.9) * size)
            y = int((box[1] + box[3]) / 2 - rng.uniform(0.1, 0.9) * size)
        else:
            x, y = int(rng.integers(width - size)), int(rng.integers(height - size))
        x, y = min(max(x, 0), width - size), min(max(y, 0), height - size)
        part = cv2.resize(picture[y : y + size, x : x + size], (CROP, CROP))
        scale = CROP / size
        rows = truth.copy()
        area = (rows[:, 3] - rows[:, 1]) * (rows[:, 4] - rows[:, 2])
        rows[:, [1, 3]] = np.clip((rows[:, [1, 3]] - x) * scale, 0, CROP)
        rows[:, [2, 4]] = np.clip((rows[:, [2, 4]] - y) * scale, 0, CROP)
        left = (rows[:, 3] - rows[:, 1]) * (rows[:, 4] - rows[:, 2]) / scale**2
        rows[:, 5] *= left / np.maximum(area, 1e-6)
        rows = rows[left > 0]
        if rng.random() < 0.5:
            part = part[:, ::-1]
            rows[:, [1, 3]] = CROP - rows[:, [3, 1]]
        return np.ascontiguousarray(part), rows

    def batch(
        self, size: int, rng: np.random.Generator
    ) -> tuple[Tensor, list[tuple[Tensor, Tensor, Tensor]]]:
        """Images (B, 3, CROP, CROP) RGB 0..1 and the truth of each."""
        images, truth = [], []
        for _ in range(size):
            picture, rows = self.crop(rng)
            images.append(picture)
            root = np.sqrt((rows[:, 3] - rows[:, 1]) * (rows[:, 4] - rows[:, 2]))
            wanted = (rows[:, 5] >= 0.4) & (root >= _SMALLEST)
            truth.append(
                (
                    torch.from_numpy(rows[wanted, 0].astype(np.int64)),
                    torch.from_numpy(rows[wanted, 1:5]),
                    torch.from_numpy(rows[~wanted, 1:5]),
                )
            )
        stack = np.stack(images)[..., ::-1].transpose(0, 3, 1, 2)
        return torch.from_numpy(np.ascontiguousarray(stack)).float() / 255.0, truth


def train(
    folder: Path,
    *,
    minutes: float,
    out: Path,
    width: int,
    seed: int,
    batch: int,
    before: Path | None,
) -> None:
    """Train for so long, with the averaged weights exported every few minutes."""
    torch.manual_seed(seed)
    torch.set_num_threads(os.cpu_count() or 1)
    rng = np.random.default_rng(seed)
    frames = Frames(folder)
    print(f"{len(frames.pictures)} frames", flush=True)
    detector = Detector(width)
    if before is not None:
        resume(detector, before, torch.cat([frames.batch(8, rng)[0] for _ in range(8)]))
    detector = detector.to(memory_format=torch.channels_last)
    average = copy.deepcopy(detector)
    loss_of = DetectionLoss(CROP, CROP)
    optimiser = torch.optim.AdamW(detector.parameters(), lr=1e-3, weight_decay=0.01)
    began, exported, step, mean = time.time(), time.time(), 0, 0.0
    while (passed := (time.time() - began) / 60.0) < minutes:
        rate = (
            (2e-3 if before is None else 1e-3)
            * min(1.0, (step + 1) / 200)
            * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * passed / minutes)))
        )
        for group in optimiser.param_groups:
            group["lr"] = rate
        images, truth = frames.batch(batch, rng)
        detector.train()
        with torch.autocast("cpu", dtype=torch.bfloat16):
            raw = detector(images.to(memory_format=torch.channels_last))
        loss = loss_of(raw, truth)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(detector.parameters(), 10.0)
        optimiser.step()
        step += 1
        keep = min(0.999, (1 + step) / (10 + step))
        with torch.no_grad():
            present = detector.state_dict()
            for name, kept in average.state_dict().items():
                if kept.dtype.is_floating_point:
                    kept.mul_(keep).add_(present[name], alpha=1 - keep)
        mean = loss.item() if step == 1 else 0.98 * mean + 0.02 * loss.item()
        if step % 100 == 0:
            print(f"{passed:5.1f} min  step {step}  loss {mean:.3f}  lr {rate:.1e}", flush=True)
        if time.time() - exported > 240:
            export(average, out)
            exported = time.time()
    export(average, out)
    torch.save(average.state_dict(), out.with_suffix(".pt"))


def export(detector: Detector, out: Path) -> None:
    """Write the ONNX file with the metadata that Ultralytics writes."""
    detector = copy.deepcopy(detector).float().eval()
    example = torch.zeros(1, 3, HEIGHT, WIDTH)
    options = {"input_names": ["images"], "output_names": ["output0"], "opset_version": 17}
    part = out.with_suffix(".part")
    try:
        torch.onnx.export(
            Exported(detector, HEIGHT, WIDTH), example, str(part), dynamo=False, **options
        )
    except TypeError:  # before torch 2.5 there was no other way
        torch.onnx.export(Exported(detector, HEIGHT, WIDTH), example, str(part), **options)
    model = onnx.load(str(part))
    names = dict(enumerate(CLASSES))
    onnx.helper.set_model_props(
        model,
        {
            "names": repr(names),
            "stride": "16",
            "task": "detect",
            "imgsz": repr([HEIGHT, WIDTH]),
            "version": "1",
            "license": "Apache-2.0",
            "author": "Sightline",
            "description": "Sightline's demo detector, trained on simulated frames",
        },
    )
    onnx.checker.check_model(model)
    onnx.save(model, str(part))
    part.replace(out)
    print(f"exported {out} ({out.stat().st_size / 1e6:.2f} MB)", flush=True)


def main() -> None:
    """Train and export."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("frames", type=Path)
    parser.add_argument("--minutes", type=float, default=40.0)
    parser.add_argument("--out", type=Path, default=HERE / "demo.onnx")
    parser.add_argument("--width", type=int, default=16)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--resume", type=Path, help="go on from this exported model")
    options = parser.parse_args()
    train(
        options.frames, minutes=options.minutes, out=options.out, width=options.width,
        seed=options.seed, batch=options.batch, before=options.resume,
    )  # fmt: skip


if __name__ == "__main__":
    main()
