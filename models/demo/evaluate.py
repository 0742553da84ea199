"""Recall and precision of the exported model on frames that it never saw.

    python models/demo/evaluate.py FRAMES [--model demo.onnx] [--confidence 0.3]

A truth counts when at least half of it is visible and the root of its box's area is above 12 px; a
detection on a truth that does not count is neither right nor wrong. IoU 0.5, same class, greedy by
confidence; non-maximum suppression at 0.6.
"""

from __future__ import annotations

import argparse
import json
from collections import defaultdict
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


def score(folder: Path, session: onnxruntime.InferenceSession, confidence: float) -> None:
    """Print recall and precision, altogether, by class and by size."""
    hits, wanted, right, wrong = (defaultdict(int) for _ in range(4))
    for path in sorted(folder.glob("*.jpg")):
        truth = json.loads(path.with_suffix(".json").read_text())
        boxes = np.array([row[1:5] for row in truth], dtype=float).reshape(-1, 4)
        labels = [CLASSES.index(row[0]) for row in truth]
        root = np.sqrt((boxes[:, 2:] - boxes[:, :2]).prod(axis=1))
        counts = np.array([row[5] >= 0.5 for row in truth], dtype=bool) & (root > 12)
        taken = np.zeros(len(truth), bool)
        for label, _, box in detect(session, cv2.imread(str(path)), confidence):
            near = iou(box, boxes) if len(boxes) else np.zeros(0)
            ok = (near >= 0.5) & ~taken & (np.array(labels) == label) if len(boxes) else near > 1
            best = int(np.argmax(near * ok)) if ok.any() else -1
            if best >= 0:
                taken[best] = True
                if counts[best]:
                    right[CLASSES[label]] += 1
            elif not (len(boxes) and (near[~counts] >= 0.3).any()):
                size = float(np.sqrt((box[2:] - box[:2]).prod()))
                if size > 12:
                    wrong[CLASSES[label]] += 1
        for i in np.flatnonzero(counts):
            size = "12-20 px" if root[i] <= 20 else "20-40 px" if root[i] <= 40 else "above 40 px"
            for key in (CLASSES[labels[i]], size):
                wanted[key] += 1
                hits[key] += int(taken[i])
    total_wanted, total_hits = (sum(d[c] for c in CLASSES) for d in (wanted, hits))
    total_right, total_wrong = sum(right.values()), sum(wrong.values())
    print(f"{folder.name}: confidence {confidence}")
    print(
        f"  all          recall {total_hits / total_wanted:.3f}"
        f"  precision {total_right / max(total_right + total_wrong, 1):.3f}  n {total_wanted}"
    )
    for name in CLASSES:
        print(
            f"  {name:<12} recall {hits[name] / max(wanted[name], 1):.3f}"
            f"  precision {right[name] / max(right[name] + wrong[name], 1):.3f}  n {wanted[name]}"
        )
    for name in ("12-20 px", "20-40 px", "above 40 px"):
        print(f"  {name:<12} recall {hits[name] / max(wanted[name], 1):.3f}  n {wanted[name]}")


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
            score(folder, session, confidence)


if __name__ == "__main__":
    main()
