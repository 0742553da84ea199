"""A model as heavy as YOLO11n, for measurements: its architecture, with weights out of a generator.

    python tests/bench/yolo11n.py OUT.onnx [--size 640] [--seed 0]

[1, 3, 640, 640] in, [1, 84, 8400] out, as Ultralytics exports it: batch norm folded into the
convolutions, boxes of the DFL head decoded to pixels, class scores through a sigmoid. What it sees
means nothing; what it costs is that of the real one. The layers are those of the published
`yolo11.yaml` at scale n (depth 0.5, width 0.25), which has 2 616 248 parameters once fused
(https://docs.ultralytics.com/models/yolo11/); the attention is that of YOLOv10 (arXiv:2405.14458),
the distribution head that of Generalized Focal Loss (arXiv:2006.04388).
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

LABELS = tuple(f"object {number}" for number in range(80))
STRIDES = (8, 16, 32)
BINS = 16
"""Of the distribution over each side of a box (DFL)."""

PARAMETERS = 2_616_248
"""Of the fused model, as Ultralytics counts them."""

_GAIN, _SPREAD = 2.4, 0.1
"""Of the weights' variance times their number, and the biases' deviation. SiLU leaves a quarter to
a half of the energy, the more the larger it is: with more gain than this, activations explode on
noisy pictures; with less, nothing of the picture arrives at the heads. Here some boxes do score."""
_LOGIT = -6.0
"""Where class logits begin: a score of a quarter of a per cent, as where objects are few."""


class Network:
    """Nodes and weights as they are added; a tensor goes by its name, `width` knows its channels.

    Weights and biases are normal, scaled so that activations stay alike through all layers.
    """

    def __init__(self, seed: int) -> None:
        self.nodes: list[Any] = []
        self.constants: dict[str, Any] = {}
        self.width: dict[str, int] = {}
        self.parameters = 0
        self._rng = np.random.default_rng(seed)

    def add(self, kind: str, inputs: list[str], width: int, **attributes: Any) -> str:
        """One node of one output."""
        name = f"{kind.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [name], name=name, **attributes))
        self.width[name] = width
        return name

    def constant(self, value: Any) -> str:
        name = f"constant_{len(self.constants)}"
        self.constants[name] = np.asarray(value)
        return name

    def weights(self, shape: tuple[int, ...], bias: float, gain: float) -> list[str]:
        """Kernel and bias of a convolution, counted."""
        deviation = math.sqrt(gain / math.prod(shape[1:]))
        kernel = self._rng.standard_normal(shape, dtype=np.float32) * np.float32(deviation)
        offsets = self._rng.normal(bias, _SPREAD, shape[0]).astype(np.float32)
        self.parameters += kernel.size + offsets.size
        return [self.constant(kernel), self.constant(offsets)]

    def convolution(
        self,
        x: str,
        out: int,
        k: int = 1,
        *,
        stride: int = 1,
        groups: int = 1,
        silu: bool = True,
        bias: float = 0.0,
        gain: float = _GAIN,
    ) -> str:
        """Convolution with folded batch norm and, mostly, SiLU."""
        shape = (out, self.width[x] // groups, k, k)
        y = self.add(
            "Conv", [x, *self.weights(shape, bias, gain)], out,
            kernel_shape=[k, k], strides=[stride] * 2, pads=[k // 2] * 4, group=groups,
        )  # fmt: skip
        return self.add("Mul", [y, self.add("Sigmoid", [y], out)], out) if silu else y

    def depthwise(self, x: str, k: int = 3, *, silu: bool = True) -> str:
        return self.convolution(x, self.width[x], k, groups=self.width[x], silu=silu)

    def concatenation(self, *parts: str, axis: int = 1) -> str:
        return self.add("Concat", list(parts), sum(self.width[x] for x in parts), axis=axis)

    def sum(self, a: str, b: str) -> str:
        return self.add("Add", [a, b], self.width[a])

    def split(self, x: str, sizes: list[int], axis: int = 1) -> list[str]:
        names = [f"split_{len(self.nodes)}_{part}" for part in range(len(sizes))]
        lengths = self.constant(np.int64(sizes))
        self.nodes.append(helper.make_node("Split", [x, lengths], names, axis=axis))
        self.width.update(zip(names, sizes, strict=True))
        return names

    def reshape(self, x: str, *shape: int, width: int = 0) -> str:
        return self.add("Reshape", [x, self.constant(np.int64(shape))], width or self.width[x])

    def upsampled(self, x: str) -> str:
        """Twice the sides, by repeating pixels."""
        return self.add(
            "Resize", [x, "", self.constant(np.float32([1, 1, 2, 2]))], self.width[x],
            mode="nearest", nearest_mode="floor", coordinate_transformation_mode="asymmetric",
        )  # fmt: skip


def bottleneck(net: Network, x: str, hidden: int) -> str:
    width = net.width[x]
    return net.sum(x, net.convolution(net.convolution(x, hidden, 3), width, 3))


def c3k(net: Network, x: str) -> str:
    """Two bottlenecks beside a shortcut, on half of the channels each."""
    width = net.width[x]
    deep = net.convolution(x, width // 2)
    for _ in range(2):
        deep = bottleneck(net, deep, width // 2)
    beside = net.convolution(x, width // 2)
    return net.convolution(net.concatenation(deep, beside), width)


def c3k2(net: Network, x: str, out: int, *, deep: bool, share: float = 0.5) -> str:
    hidden = int(out * share)
    first, second = net.split(net.convolution(x, 2 * hidden), [hidden, hidden])
    third = c3k(net, second) if deep else bottleneck(net, second, hidden // 2)
    return net.convolution(net.concatenation(first, second, third), out)


def sppf(net: Network, x: str) -> str:
    """Ever wider maxima of the same features."""
    levels = [net.convolution(x, net.width[x] // 2)]
    for _ in range(3):
        pooled = net.add(
            "MaxPool", [levels[-1]], net.width[levels[-1]],
            kernel_shape=[5, 5], strides=[1, 1], pads=[2] * 4,
        )  # fmt: skip
        levels.append(pooled)
    return net.convolution(net.concatenation(*levels), net.width[x])


def attention(net: Network, x: str, side: int) -> str:
    """Every place looks at every other; heads of 64 channels, keys of 32."""
    width, places = net.width[x], side * side
    heads = width // 64
    mixed = net.convolution(x, width + heads * 64, silu=False, gain=1.0)
    mixed = net.reshape(mixed, 1, heads, 128, places)
    query, key, value = net.split(mixed, [32, 32, 64], axis=2)
    turned = net.add("Transpose", [query], 32, perm=[0, 1, 3, 2])
    alike = net.add("MatMul", [turned, key], places)
    alike = net.add("Mul", [alike, net.constant(np.float32(32**-0.5))], places)
    looks = net.add("Softmax", [alike], places, axis=-1)
    looks = net.add("Transpose", [looks], places, perm=[0, 1, 3, 2])
    seen = net.add("MatMul", [value, looks], 64)
    seen = net.reshape(seen, 1, width, side, side, width=width)
    here = net.depthwise(net.reshape(value, 1, width, side, side, width=width), silu=False)
    return net.convolution(net.sum(seen, here), width, silu=False, gain=1.0)


def c2psa(net: Network, x: str, side: int) -> str:
    half = net.width[x] // 2
    kept, looking = net.split(net.convolution(x, 2 * half), [half, half])
    looking = net.sum(looking, attention(net, looking, side))
    forward = net.convolution(net.convolution(looking, 2 * half), half, silu=False)
    return net.convolution(net.concatenation(kept, net.sum(looking, forward)), 2 * half)


def head(net: Network, x: str, places: int, labels: int) -> str:
    """Sixteen bins for each of four sides, and a logit for each label: [1, 64 + labels, places]."""
    sides = net.convolution(net.convolution(x, 64, 3), 64, 3)
    sides = net.convolution(sides, 4 * BINS, silu=False)
    classes = net.convolution(net.depthwise(x), labels)
    classes = net.convolution(net.depthwise(classes), labels)
    classes = net.convolution(classes, labels, silu=False, bias=_LOGIT)
    return net.reshape(net.concatenation(sides, classes), 1, 4 * BINS + labels, places)


def decoded(net: Network, levels: list[str], size: int, labels: int) -> str:
    """Boxes as centre and size in pixels of the input, and scores: [1, 4 + labels, anchors]."""
    anchors, strides = centres(size)
    count = anchors.shape[-1]
    every = net.add("Concat", levels, 4 * BINS + labels, axis=2)
    sides, classes = net.split(every, [4 * BINS, labels])
    bins = net.reshape(sides, 1, 4, BINS, count)
    bins = net.add("Transpose", [bins], BINS, perm=[0, 2, 1, 3])
    bins = net.add("Softmax", [bins], BINS, axis=1)
    ruler = np.arange(BINS, dtype=np.float32).reshape(1, BINS, 1, 1)
    net.parameters += BINS
    distances = net.reshape(net.add("Conv", [bins, net.constant(ruler)], 1), 1, 4, count, width=4)
    near, far = net.split(distances, [2, 2])
    low = net.add("Sub", [net.constant(anchors), near], 2)
    high = net.add("Add", [net.constant(anchors), far], 2)
    middle = net.add("Div", [net.sum(low, high), net.constant(np.float32(2))], 2)
    boxes = net.concatenation(middle, net.add("Sub", [high, low], 2))
    boxes = net.add("Mul", [boxes, net.constant(strides)], 4)
    return net.concatenation(boxes, net.add("Sigmoid", [classes], labels))


def centres(size: int) -> tuple[Any, Any]:
    """The middle of each cell of each level in cells [1, 2, n], and its stride in pixels [1, n]."""
    points, strides = [], []
    for stride in STRIDES:
        line = np.arange(size // stride, dtype=np.float32) + np.float32(0.5)
        y, x = np.meshgrid(line, line, indexing="ij")
        points.append(np.stack([x.ravel(), y.ravel()]))
        strides.append(np.full(x.size, stride, dtype=np.float32))
    return np.concatenate(points, axis=1)[None], np.concatenate(strides)[None]


def build(size: int = 640, *, seed: int = 0, labels: tuple[str, ...] = LABELS) -> tuple[Any, int]:
    """The model, and how many parameters it has. `size` is a multiple of 32."""
    net = Network(seed)
    net.width["images"] = 3
    x = net.convolution("images", 16, 3, stride=2)
    x = c3k2(net, net.convolution(x, 32, 3, stride=2), 64, deep=False, share=0.25)
    p3 = c3k2(net, net.convolution(x, 64, 3, stride=2), 128, deep=False, share=0.25)
    p4 = c3k2(net, net.convolution(p3, 128, 3, stride=2), 128, deep=True)
    p5 = c3k2(net, net.convolution(p4, 256, 3, stride=2), 256, deep=True)
    p5 = c2psa(net, sppf(net, p5), size // 32)
    middle = c3k2(net, net.concatenation(net.upsampled(p5), p4), 128, deep=False)
    small = c3k2(net, net.concatenation(net.upsampled(middle), p3), 64, deep=False)
    down = net.convolution(small, 64, 3, stride=2)
    medium = c3k2(net, net.concatenation(down, middle), 128, deep=False)
    down = net.convolution(medium, 128, 3, stride=2)
    large = c3k2(net, net.concatenation(down, p5), 256, deep=True)
    levels = [
        head(net, each, (size // stride) ** 2, len(labels))
        for each, stride in zip((small, medium, large), STRIDES, strict=True)
    ]
    output = decoded(net, levels, size, len(labels))
    net.nodes.append(helper.make_node("Identity", [output], ["output0"]))
    anchors = sum((size // stride) ** 2 for stride in STRIDES)
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        net.nodes,
        "yolo11n",
        [value("images", TensorProto.FLOAT, [1, 3, size, size])],
        [value("output0", TensorProto.FLOAT, [1, 4 + len(labels), anchors])],
        [numpy_helper.from_array(each, name) for name, each in net.constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    described = {"names": str(dict(enumerate(labels))), "imgsz": str([size, size])}
    helper.set_model_props(model, {**described, "stride": "32", "task": "detect", "batch": "1"})
    return model, net.parameters


def main() -> None:
    """Write the file and say how large it is."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path)
    parser.add_argument("--size", type=int, default=640)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    if options.size < 32 or options.size % 32:
        parser.error(f"--size: expected a multiple of 32, found {options.size}")
    model, parameters = build(options.size, seed=options.seed)
    onnx.save(model, str(options.out))
    print(f"{options.out}: {parameters} parameters, {options.out.stat().st_size / 1e6:.1f} MB")


if __name__ == "__main__":
    main()
