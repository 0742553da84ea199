"""What each step of the hot path costs, done in one way and in another, side by side in one run.

    python tests/bench/levers.py [--rounds 15] [--model FILE]

What was kept, and what did not help, is in docs/decisions/0017-the-hot-path.md.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from io import BytesIO
from pathlib import Path
from statistics import median

import cv2
import numpy as np
import onnx
import onnxruntime
import simplejpeg
from PIL import Image
from rich.console import Console
from rich.table import Table

sys.path.insert(0, str(Path(__file__).parent))

import yolo11n
from detection_http import picture

from detection import allocator, cores, letterbox
from detection.canvas import Canvas
from detection.layouts.layout import Preparation
from detection.models import onnx_file
from detection.models.folding import fold
from detection.models.form import form_of

Way = Callable[[], object]


def timed(ways: Mapping[str, Way], rounds: int) -> dict[str, float]:
    """Median milliseconds of each, in turns."""
    found: dict[str, list[float]] = {name: [] for name in ways}
    for way in ways.values():
        way()
    for _ in range(rounds):
        for name, way in ways.items():
            began = time.perf_counter()
            way()
            found[name].append((time.perf_counter() - began) * 1e3)
    return {name: median(times) for name, times in found.items()}


def session(
    data: bytes, *, threads: int = 1, spin: bool = False, arena: bool = True
) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.enable_cpu_mem_arena = arena
    options.log_severity_level = 4
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spin)))
    options.add_session_config_entry("session.force_spinning_stop", "1")
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def together(way: Way, threads: int) -> Way:
    """So many at once; the time of one round is for all of them."""

    def work() -> None:
        workers = [threading.Thread(target=way) for _ in range(threads)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()

    return work


def decoding(image: bytes) -> dict[str, Way]:
    data = np.frombuffer(image, np.uint8)

    def pillow() -> object:
        file = Image.open(BytesIO(image))
        file.draft(None, (640, 360))
        return file.load()

    return {
        "OpenCV, whole": lambda: cv2.imdecode(data, cv2.IMREAD_COLOR),
        "OpenCV, half": lambda: cv2.imdecode(data, cv2.IMREAD_REDUCED_COLOR_2),
        "Pillow, half": pillow,
        "simplejpeg, whole": lambda: simplejpeg.decode_jpeg(image, "RGB"),
        "simplejpeg, three eighths": lambda: simplejpeg.decode_jpeg(
            image, "RGB", min_height=400, min_width=700
        ),
        "simplejpeg, half (kept)": lambda: simplejpeg.decode_jpeg(
            image, "RGB", min_height=540, min_width=960
        ),
    }


def scaling(half: np.ndarray) -> dict[str, Way]:
    pillow = Image.fromarray(half)
    return {
        "Pillow, bilinear": lambda: pillow.resize((640, 360), Image.Resampling.BILINEAR),
        "OpenCV, area": lambda: cv2.resize(half, (640, 360), interpolation=cv2.INTER_AREA),
        "OpenCV, linear (kept)": lambda: cv2.resize(half, (640, 360)),
    }


def placing(content: np.ndarray, model: bytes) -> dict[str, Way]:
    header = onnx_file.inspect(model, name="model")
    form = form_of(header.signature, size=None)
    canvas = Canvas(form, Preparation())
    box = letterbox.fit(image_width=1920, image_height=1080, size=form.size)
    floats = np.full((1, 3, 640, 640), 114 / 255, dtype=np.float32)
    inside = floats[0, :, box.top : box.top + box.content_height]

    def tutorial() -> object:
        whole = np.full((640, 640, 3), 114, dtype=np.uint8)
        whole[box.top : box.top + box.content_height] = content
        return np.ascontiguousarray(whole.transpose(2, 0, 1)[None], dtype=np.float32) / 255.0

    return {
        "a new array of floats": tutorial,
        "floats into a kept array": lambda: np.multiply(
            content.transpose(2, 0, 1), np.float32(1 / 255), out=inside
        ),
        "bytes into a kept array (kept)": lambda: canvas.place(content, box),
    }


def running(model: bytes, quick: bytes, signed: bytes) -> dict[str, Way]:
    """One image, one thread."""
    header = onnx_file.inspect(model, name="model")
    form = form_of(header.signature, size=None)
    pixels = np.random.default_rng(0).integers(0, 256, (1, 3, 640, 640), dtype=np.uint8)
    floats = (pixels * np.float32(1 / 255)).astype(np.float32)
    plain = session(model)
    folded = fold(model, form, Preparation())
    in_convolution = session(folded.data)
    scaled = fold(model, form, Preparation(deviation=(1.0, 1.0, 1.0)))
    in_steps = session(scaled.data)
    bound = in_convolution.io_binding()
    bound.bind_cpu_input(folded.input_name, pixels)
    for output in in_convolution.get_outputs():
        bound.bind_output(output.name, "cpu")
    qdq = fold(quick, form, Preparation())
    unsigned, both_signed = session(qdq.data), session(signed)
    no_arena = session(folded.data, arena=False)
    return {
        "floats, as the file has it": lambda: plain.run(None, {form.name: floats}),
        "bytes, cast and scaled in steps": lambda: in_steps.run(None, {scaled.input_name: pixels}),
        "bytes, scale in the convolution (kept)": lambda: in_convolution.run(
            None, {folded.input_name: pixels}
        ),
        "the same, outputs bound": lambda: in_convolution.run_with_iobinding(bound),
        "the same, without the arena": lambda: no_arena.run(None, {folded.input_name: pixels}),
        "int8, U8S8, bytes as they are (kept)": lambda: unsigned.run(
            None, {qdq.input_name: pixels}
        ),
        "int8, S8S8": lambda: both_signed.run(None, {form.name: floats}),
    }


def sharing(model: bytes, count: int) -> dict[str, Way]:
    """As many images as there are cores, in several ways; the time is for all of them."""
    form = form_of(onnx_file.inspect(model, name="model").signature, size=None)
    floats = np.random.default_rng(0).random((1, 3, 640, 640), dtype=np.float32)
    one, still, spinning = (
        session(model),
        session(model, threads=count),
        session(model, threads=count, spin=True),
    )
    several = onnx.load_from_string(model)
    for value in (*several.graph.input, *several.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    ways: dict[str, Way] = {
        f"{count} lanes of one thread (kept)": together(
            lambda: one.run(None, {form.name: floats}), count
        ),
        f"one after the other on {count} threads": lambda: [
            still.run(None, {form.name: floats}) for _ in range(count)
        ],
        "the same, spinning (kept for one alone: half of this)": lambda: [
            spinning.run(None, {form.name: floats}) for _ in range(count)
        ],
    }
    try:
        batch = session(several.SerializeToString(), threads=count, spin=True)
        whole = np.repeat(floats, count, axis=0)
        batch.run(None, {form.name: whole})
        ways[f"one batch of {count} on {count} threads, spinning"] = lambda: batch.run(
            None, {form.name: whole}
        )
    except Exception as error:  # a file of a fixed batch cannot
        print(f"no batch: {str(error)[:80]}", file=sys.stderr)
    return ways


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--model", type=Path, help="else one as heavy as YOLO11n, made here")
    options = parser.parse_args()
    image = picture()
    before = timed({"OpenCV, whole": decoding(image)["OpenCV, whole"]}, 10 * options.rounds)
    allocator.keep_large_blocks()
    cv2.setNumThreads(1)
    with tempfile.TemporaryDirectory(prefix="sightline-levers-") as folder:
        path, quick, signed, still = (
            Path(folder) / name for name in ("model.onnx", "u8s8.onnx", "s8s8.onnx", "still.jpg")
        )
        still.write_bytes(image)
        if options.model is None:
            onnx.save(yolo11n.build()[0], str(path))
        else:
            path.write_bytes(options.model.read_bytes())
        for target, more in ((quick, ()), (signed, ("--signed",))):
            subprocess.run(
                [sys.executable, "models/quantise.py", path, target, still, *more],
                check=True, capture_output=True,
            )  # fmt: skip
        model = path.read_bytes()
        half = simplejpeg.decode_jpeg(image, "RGB", min_height=540, min_width=960)
        content = cv2.resize(half, (640, 360))
        tables = {
            "decoding 1920 x 1080": timed(decoding(image), options.rounds),
            "960 x 540 to 640 x 360": timed(scaling(half), options.rounds),
            "into the input": timed(placing(content, model), options.rounds),
            "one run, one thread": timed(
                running(model, quick.read_bytes(), signed.read_bytes()), options.rounds
            ),
            f"{cores.available()} images": timed(sharing(model, cores.available()), options.rounds),
        }
    tables["decoding 1920 x 1080"] |= {
        "OpenCV, whole, allocator as it comes": before["OpenCV, whole"]
    }
    table = Table(title="What each step costs, ms")
    for column in ("step", "way", "ms", "ratio"):
        table.add_column(column, justify="right" if column in ("ms", "ratio") else "left")
    for step, ways in tables.items():
        kept = next((ms for way, ms in ways.items() if "(kept" in way), min(ways.values()))
        for way, ms in ways.items():
            table.add_row(step, way, f"{ms:.3f}", f"{ms / kept:.2f}")
        table.add_section()
    Console(width=110).print(table)


if __name__ == "__main__":
    main()
