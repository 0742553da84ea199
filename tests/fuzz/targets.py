"""What foreign bytes may do, and nothing else: be read as what they are, or be refused in words."""

from __future__ import annotations

import contextlib
import functools
import gzip
import json
import math
import tempfile
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from detection import image
from detection.errors import DetectionError, FormError, ImageError, ModelError, TensorError
from detection.layouts.layout import Preparation
from detection.models import onnx_file
from detection.models.folding import fold
from detection.models.form import form_of
from detection.tensors import compression, request
from detection.web import multipart
from fakes.images import encoded, oriented, photo_like
from fakes.models import blob_model
from fakes.tensors import KINDS, echo_model, sums_model, values_of
from fuzz.mutation import Chance, mutated, restructured

MAX_MEGAPIXELS = 1.0
MAX_PACKED = 1 << 20
VECTORS = Path(__file__).parents[1] / "vectors" / "fuzz"
"""Cases that something else once came of, by target."""


@dataclass(frozen=True, kw_only=True)
class Target:
    """A reader of foreign bytes; `check` fails on anything that it must not do."""

    good: Callable[[], Sequence[bytes]]
    check: Callable[[bytes, Chance], None]
    refusal: type[DetectionError]
    megabytes: int
    """How much more memory one case may need, at most, than good bytes do."""
    change: Callable[[Sequence[bytes], Chance], bytes] = mutated

    def case(self, good: Sequence[bytes], by: Chance) -> bytes:
        """The bytes of one case: something good, changed, or now and then just anything."""
        return by.randbytes(by.randrange(200)) if by.random() < 0.01 else self.change(good, by)

    def run(self, data: bytes, by: Chance) -> str:
        """`read`, or the name of the refusal; raises whatever else came of it."""
        try:
            self.check(data, by)
        except self.refusal as refused:
            sentence = str(refused)
            assert sentence, "refused without a word"
            assert len(sentence) < 2000, sentence
            assert "\n" not in sentence, sentence
            return type(refused).__name__
        return "read"


def good_images() -> list[bytes]:
    """Small ones of every kind that cameras and people send."""
    photo = photo_like(120, 60, seed=3).resize((48, 32))
    alpha = photo.convert("RGBA")
    alpha.putalpha(photo.convert("L"))
    deep = Image.fromarray(np.arange(48 * 32, dtype=np.uint16).reshape(32, 48) * 40)
    jpegs = [
        encoded(photo, "JPEG", **options)
        for options in ({}, {"progressive": True}, {"subsampling": 2}, {"restart_marker_blocks": 2})
    ]
    jpegs += [encoded(photo.convert(mode), "JPEG", subsampling=-1) for mode in ("L", "CMYK")]
    pngs = [encoded(each, "PNG") for each in (photo, alpha, photo.convert("P"), deep)]
    pngs += [encoded(photo.convert(mode), "PNG") for mode in ("1", "L", "LA")]
    pngs += [encoded(photo.convert("P"), "PNG", transparency=3)]
    webps = [encoded(each, "WEBP", lossless=lossless) for each in (photo, alpha)
             for lossless in (True, False)]  # fmt: skip
    webps += [encoded(photo, "WEBP", save_all=True, append_images=[photo.rotate(90)])]
    tiffs = [
        encoded(photo, "TIFF", **({} if how is None else {"compression": how}))
        for how in (None, "tiff_lzw", "tiff_adobe_deflate", "jpeg", "packbits")
    ]
    tiffs += [encoded(photo.convert("1"), "TIFF", compression="group4"), encoded(alpha, "TIFF")]
    tiffs += [encoded(photo, "TIFF", save_all=True, append_images=[photo])]
    turned = [oriented(photo, number, kind) for number in (3, 6, 8)
              for kind in ("JPEG", "PNG", "WEBP", "TIFF")]  # fmt: skip
    return [*jpegs, *pngs, *webps, *tiffs, *turned]


def look(data: bytes, by: Chance) -> None:
    """An upright picture of the stated size, whole or scaled down, or ImageError."""
    picture = image.read(data, max_megapixels=MAX_MEGAPIXELS)
    width, height = picture.width, picture.height
    assert min(width, height) >= 1
    assert width * height <= MAX_MEGAPIXELS * 1e6
    if by.random() < 0.5:
        share = by.choice((2, 3, 8))
        width, height = max(1, width // share), max(1, height // share)
    pixels = np.asarray(image.decode(picture, width=width, height=height))
    assert pixels.shape == (height, width, 3), (pixels.shape, width, height)
    assert pixels.dtype == np.uint8


_TYPE = b"multipart/form-data; boundary=xyz"


def good_forms() -> list[bytes]:
    """The header's text and the body, with a NUL between them."""
    part = b'--xyz\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n'
    picture = part % (b"image", b'; filename="a.jpg"\r\nContent-Type: image/jpeg', b"\xff\xd8\xff")
    frame = part % (b"frame", b"", b'{"frame_id":"1"}')
    bodies = [picture + frame, frame + picture, b"preamble\r\n" + picture, picture * 2, frame]
    named = [b'multipart/form-data; boundary="xyz"', b"multipart/form-data; boundary*=utf-8''xyz"]
    return [
        kind + b"\0" + body + b"--xyz--\r\n" for kind in (_TYPE, *named) for body in bodies
    ]  # fmt: skip


def take_apart(data: bytes, _by: Chance) -> None:
    """Parts that stand in the body as they are, or FormError."""
    kind, _, body = data.partition(b"\0")
    form = multipart.parse(body, kind.decode("latin-1"))
    assert form.image in body
    assert form.frame is None or form.frame in body


def good_requests() -> list[bytes]:
    """The header's text, a NUL, and JSON that bytes may follow."""
    found = []
    for binary in (True, False):
        inputs: list[dict[str, Any]] = []
        after = b""
        for name in KINDS:
            values = values_of(name, 4)
            each: dict[str, Any] = {"name": name, "shape": [2, 2], "datatype": name}
            if binary:
                texts = [str(value).encode() for value in values]
                part = (
                    b"".join(len(text).to_bytes(4, "little") + text for text in texts)
                    if name == "BYTES"
                    else values.tobytes()
                )
                each["parameters"] = {"binary_data_size": len(part)}
                after += part
            else:
                each["data"] = values.reshape(2, 2).tolist()
            inputs.append(each)
        for chosen, rest in ((inputs, after), *(([one], b"") for one in inputs if not binary)):
            header = json.dumps(
                {
                    "id": "7",
                    "inputs": chosen,
                    "outputs": [{"name": "y", "parameters": {"binary_data": True}}],
                    "parameters": {"binary_data_output": False, "timeout": 500},
                }
            ).encode()
            length = str(len(header)).encode() if binary else b""
            found.append(length + b"\0" + header + rest)
    return found


def read_request(data: bytes, by: Chance) -> None:
    """Arrays that are as large as they say, or TensorError."""
    length, _, body = data.partition(b"\0")
    text = length.decode("latin-1") or None
    if text is not None and by.random() < 0.5:
        # Else every change of the JSON's length would end at its header.
        with contextlib.suppress(ValueError, RecursionError):
            text = str(json.JSONDecoder().raw_decode(body.decode("latin-1"))[1])
    asked = request.read(body, header_length=text)
    for array in asked.inputs.values():
        assert array.flags.aligned
        assert array.dtype.kind in "?buifO"
        assert array.size <= len(body)
        assert array.size == math.prod(array.shape)
        array.tolist()  # reads every value


def good_packed() -> list[bytes]:
    """Gzip and deflate, with which of them it is in front."""
    plain = [b"", b"tensor" * 50, bytes(1 << 16)]
    return [
        *(b"gzip\0" + gzip.compress(each, mtime=0) for each in plain),
        *(b"deflate\0" + zlib.compress(each) for each in plain),
    ]


def unpack(data: bytes, _by: Chance) -> None:
    """At most as much as is taken, or TensorError."""
    name, _, body = data.partition(b"\0")
    plain = compression.unpacked(body, name.decode("latin-1"), limit=MAX_PACKED)
    assert len(plain) <= max(MAX_PACKED, len(body))


@functools.cache
def _models() -> tuple[bytes, ...]:
    with tempfile.TemporaryDirectory(prefix="sightline-fuzz-") as folder:
        made = [blob_model(Path(folder) / "a.onnx"), echo_model(Path(folder) / "b.onnx")]
        made += [blob_model(Path(folder) / "c.onnx", slow_layers=1, dtype="float16")]
        made += [sums_model(Path(folder) / "d.onnx")]
        return tuple(path.read_bytes() for path in made)


def inspect(data: bytes, by: Chance) -> None:
    """Versions that are numbers and an image input that takes bytes, or ModelError."""
    header = onnx_file.inspect(data, name="some.onnx")
    assert header.ir_version > 0
    assert header.opset > 0
    form = form_of(header.signature, size=None)
    mean = by.choice((None, (0.5, 0.4, 0.3)))
    folded = fold(data, form, Preparation(mean=mean))
    changed = onnx_file.inspect(folded.data, name="some.onnx")
    (image_input,) = (t for t in changed.signature.inputs if t.name == folded.input_name)
    assert image_input.dtype == "uint8"


TARGETS = {
    "image": Target(good=good_images, check=look, refusal=ImageError, megabytes=128),
    "form": Target(good=good_forms, check=take_apart, refusal=FormError, megabytes=16),
    "request": Target(good=good_requests, check=read_request, refusal=TensorError, megabytes=16),
    "request-json": Target(
        good=good_requests,
        check=read_request,
        refusal=TensorError,
        megabytes=16,
        change=restructured,
    ),
    "packed": Target(good=good_packed, check=unpack, refusal=TensorError, megabytes=16),
    "model": Target(good=_models, check=inspect, refusal=ModelError, megabytes=16),
}


def vectors(name: str) -> list[Path]:
    """Cases of this target that something else once came of."""
    return sorted((VECTORS / name).glob("*"))
