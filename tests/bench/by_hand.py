"""The yardstick: a detector served by nobody, as one would write it by hand.

OpenCV decodes and letterboxes, NumPy makes the floats, ONNX Runtime runs, NumPy suppresses: what
every tutorial of these models shows, without its mistakes.
"""

from __future__ import annotations

import threading
import time
from pathlib import Path

import cv2
import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

SIDE = 640


def loop(
    path: Path, image: bytes, *, threads: int, intra: int, seconds: float, confidence: float
) -> tuple[list[float], float]:
    """Look at the image again and again; how long each time took, and all together."""
    cv2.setNumThreads(1)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = intra
    if threads > 1:
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    waits: list[float] = []
    detect(session, image, confidence)
    end = time.perf_counter() + seconds

    def work() -> None:
        while (began := time.perf_counter()) < end:
            detect(session, image, confidence)
            waits.append(time.perf_counter() - began)

    began = time.perf_counter()
    workers = [threading.Thread(target=work) for _ in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return waits, time.perf_counter() - began


def detect(
    session: onnxruntime.InferenceSession, image: bytes, confidence: float
) -> list[tuple[np.ndarray, float, int]]:
    """Boxes, scores and classes."""
    pixels = cv2.imdecode(np.frombuffer(image, np.uint8), cv2.IMREAD_COLOR)
    height, width = pixels.shape[:2]
    ratio = min(SIDE / width, SIDE / height)
    wide, high = round(width * ratio), round(height * ratio)
    left, top = (SIDE - wide) // 2, (SIDE - high) // 2
    canvas = np.full((SIDE, SIDE, 3), 114, dtype=np.uint8)
    canvas[top : top + high, left : left + wide] = cv2.resize(pixels, (wide, high))
    blob = cv2.dnn.blobFromImage(canvas, 1.0 / 255.0, swapRB=True)
    rows = session.run(None, {session.get_inputs()[0].name: blob})[0][0]
    scores = rows[4:].max(axis=0)
    passing = np.flatnonzero(scores >= confidence)
    boxes, classes = rows[:4, passing].T, rows[4:, passing].argmax(axis=0)
    boxes = np.concatenate([boxes[:, :2] - boxes[:, 2:] / 2, boxes[:, 2:]], axis=1)
    kept = cv2.dnn.NMSBoxesBatched(boxes, scores[passing], classes, confidence, 0.6)
    return [
        ((boxes[at] - [left, top, 0, 0]) / ratio, float(scores[passing][at]), int(classes[at]))
        for at in np.asarray(kept).reshape(-1)
    ]


def tiny(path: Path) -> Path:
    """A model in the same layout that costs next to nothing: what is left is everything else."""
    node = helper.make_node
    boxes = np.zeros((1, 84, 300), dtype=np.float32)
    boxes[0, :4] = 32.0
    graph = helper.make_graph(
        [
            node("Slice", ["images", "from", "to", "axes"], ["corner"]),
            node("ReduceMean", ["corner"], ["mean"], keepdims=0),
            node("Clip", ["mean", "zero", "zero"], ["nought"]),
            node("Add", ["boxes", "nought"], ["output0"]),
        ],
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info("output0", TensorProto.FLOAT, [1, 84, 300])],
        [
            numpy_helper.from_array(np.array([0, 0]), "from"),
            numpy_helper.from_array(np.array([8, 8]), "to"),
            numpy_helper.from_array(np.array([2, 3]), "axes"),
            numpy_helper.from_array(np.float32(0), "zero"),
            numpy_helper.from_array(boxes, "boxes"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    names = {number: f"class-{number}" for number in range(80)}
    helper.set_model_props(model, {"names": str(names), "stride": "32", "task": "detect"})
    onnx.save(model, str(path))
    return path
