"""Recall and precision of the exported model on frames that it never saw.

    python models/demo/evaluate.py FRAMES [--model demo.onnx] [--confidence 0.3]

A truth counts when at least half of it is visible and the root of its box's area is above 12 px; a
detection on a truth that does not count is neither right nor wrong. IoU 0.5, same class, greedy by
confidence; non-maximum suppression at 0.6.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from pathlib import Path

import cv2
import numpy as np
import onnxruntime

HERE = Path(__file__).parent
CLASSES = ("car", "truck", "person", "boat")


def iou(box: np.ndarray, others: np.ndarray) -> np.ndarray:
    """IoU of one box with many."""
    low, high = np.maximum(box[:2], others[:, :2]), np.minimum(box[2:], others[:, 2:])
    inter = np.clip(high - low, 0, None).prod(axis=1)
    area = (others[:, 2:] - others[:, :2]).prod(axis=1)
    return inter / ((box[2:] - box[:2]).prod() + area - inter + 1e-9)


def detect(
    session: onnxruntime.InferenceSession, image: np.ndarray, confidence: float
) -> list[tuple[int, float, np.ndarray]]:
    """Class, score and box of what is in a BGR frame, best first."""
    height, width = session.get_inputs()[0].shape[2:]
    scale = min(width / image.shape[1], height / image.shape[0])
    size = (round(image.shape[1] * scale), round(image.shape[0] * scale))
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    canvas = np.full((height, width, 3), 114, np.uint8)
    canvas[top : top + size[1], left : left + size[0]] = cv2.resize(image, size)
    blob = canvas[None, ..., ::-1].transpose(0, 3, 1, 2).astype(np.float32) / 255
    (out,) = session.run(None, {"images": np.ascontiguousarray(blob)})
    rows = out[0].T
    label, score = rows[:, 4:].argmax(axis=1), rows[:, 4:].max(axis=1)
    keep = score >= confidence
    boxes = np.concatenate(
        (rows[keep, :2] - rows[keep, 2:4] / 2, rows[keep, :2] + rows[keep, 2:4] / 2), axis=1
    )
    boxes = (boxes - [left, top, left, top]) / scale
    found: list[tuple[int, float, np.ndarray]] = []
    for i in np.argsort(-score[keep]):
        one, box = int(label[keep][i]), boxes[i]
        if all(c != one or iou(box, b[None])[0] < 0.6 for c, _, b in found):
            found.append((one, float(score[keep][i]), box))
    return found


class Tally:
    """Truths that count and that were found, detections that were right and wrong, by a key."""

    def __init__(self) -> None:
        self.wanted: Counter[str] = Counter()
        self.found: Counter[str] = Counter()
        self.right: Counter[str] = Counter()
        self.wrong: Counter[str] = Counter()

    def frame(self, truth: list, found: list[tuple[int, float, np.ndarray]]) -> None:
        """Judge one frame."""
        boxes = np.array([row[1:5] for row in truth], dtype=float).reshape(-1, 4)
        labels = np.array([CLASSES.index(row[0]) for row in truth], dtype=int)
        root = np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1))
        counts = np.array([row[5] >= 0.5 for row in truth], dtype=bool) & (root > 12)
        taken = np.zeros(len(truth), bool)
        for label, _, box in found:
            near = iou(box, boxes)
            able = np.flatnonzero((near >= 0.5) & ~taken & (labels == label))
            if len(able):
                best = able[np.argmax(near[able])]
                taken[best] = True
                self.right[CLASSES[label]] += int(counts[best])
            elif np.sqrt((box[2:] - box[:2]).prod()) > 12 and not (near[~counts] >= 0.3).any():
                self.wrong[CLASSES[label]] += 1
        for i in np.flatnonzero(counts):
            for key in ("all", CLASSES[labels[i]], size_of(root[i])):
                self.wanted[key] += 1
                self.found[key] += int(taken[i])

    def row(self, key: str) -> str:
        """Recall, precision and count."""
        recall = self.found[key] / max(self.wanted[key], 1)
        right, wrong = self.right[key], self.wrong[key]
        if key == "all":
            right, wrong = self.right.total(), self.wrong.total()
        precision = f"{right / (right + wrong):.3f}" if right + wrong else "-"
        return f"| {key:<12} | {recall:.3f} | {precision:>5} | {self.wanted[key]:>5} |"


def size_of(root: float) -> str:
    """The bin of the root of a box's area in pixels."""
    return "12-20 px" if root <= 20 else "20-40 px" if root <= 40 else "above 40 px"


def score(folder: Path, session: onnxruntime.InferenceSession, confidence: float) -> Tally:
    """Judge every frame of a folder."""
    tally = Tally()
    for path in sorted(folder.glob("*.jpg")):
        truth = json.loads(path.with_suffix(".json").read_text())
        tally.frame(truth, detect(session, cv2.imread(str(path)), confidence))
    return tally


def main() -> None:
    """Score one folder or several."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("frames", type=Path, nargs="+")
    parser.add_argument("--model", type=Path, default=HERE / "demo.onnx")
    parser.add_argument("--confidence", type=float, nargs="+", default=[0.3])
    options = parser.parse_args()
    session = onnxruntime.InferenceSession(str(options.model))
    for folder in options.frames:
        for confidence in options.confidence:
            tally = score(folder, session, confidence)
            print(f"{folder.name}, confidence {confidence}: recall, precision, truths")
            for key in ("all", *CLASSES, "12-20 px", "20-40 px", "above 40 px"):
                print(tally.row(key))


if __name__ == "__main__":
    main()
