"""The demo's detector: a small anchor-free network with a YOLOv8-style head (strides 8 and 16)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

CLASSES = ("car", "truck", "person", "boat")
STRIDES = (8, 16)


class Conv(nn.Module):
    """Convolution, batch norm, SiLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False)
        self.norm = nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.03)
        self.act = nn.SiLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.norm(self.conv(x)))


class Bottleneck(nn.Module):
    """Two 3x3 convolutions and a way around them."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.a, self.b = Conv(width, width, 3), Conv(width, width, 3)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.b(self.a(x))


class C2f(nn.Module):
    """Cross-stage block: split, refine one half step by step, keep every step."""

    def __init__(self, inputs: int, outputs: int, repeats: int) -> None:
        super().__init__()
        self.half = outputs // 2
        self.enter = Conv(inputs, outputs)
        self.steps = nn.ModuleList(Bottleneck(self.half) for _ in range(repeats))
        self.leave = Conv(self.half * (2 + repeats), outputs)

    def forward(self, x: Tensor) -> Tensor:
        parts = list(self.enter(x).chunk(2, 1))
        for step in self.steps:
            parts.append(step(parts[-1]))
        return self.leave(torch.cat(parts, 1))


class Pooling(nn.Module):
    """SPPF: three poolings in a row see three sizes of surroundings."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.enter, self.leave = Conv(width, width // 2), Conv(width * 2, width)
        self.pool = nn.MaxPool2d(5, 1, 2)

    def forward(self, x: Tensor) -> Tensor:
        parts = [self.enter(x)]
        for _ in range(3):
            parts.append(self.pool(parts[-1]))
        return self.leave(torch.cat(parts, 1))


class Head(nn.Module):
    """Decoupled: four distances to the box's sides in strides, and a logit per class."""

    def __init__(self, inputs: int, width: int) -> None:
        super().__init__()
        self.box = nn.Sequential(Conv(inputs, width, 3), nn.Conv2d(width, 4, 1))
        self.cls = nn.Sequential(Conv(inputs, width, 3), nn.Conv2d(width, len(CLASSES), 1))
        nn.init.constant_(self.cls[-1].bias, -4.6)
        nn.init.constant_(self.box[-1].bias, 1.0)

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat((nn.functional.softplus(self.box(x)), self.cls(x)), 1)


class Detector(nn.Module):
    """Image (B, 3, H, W) in 0..1, RGB → distances and logits (B, anchors, 4 + classes)."""

    def __init__(self, width: int = 16) -> None:
        super().__init__()
        a, b, c, d = width, width * 3 // 2, width * 3, width * 6
        self.stem = nn.Sequential(Conv(3, a, 3, 2), Conv(a, b, 3, 2), C2f(b, b, 1))
        self.p3 = nn.Sequential(Conv(b, c, 3, 2), C2f(c, c, 2))
        self.p4 = nn.Sequential(Conv(c, d, 3, 2), C2f(d, d, 2), Pooling(d))
        self.up = nn.Upsample(scale_factor=2, mode="nearest")
        self.fine = C2f(c + d, c, 1)
        self.down = Conv(c, c, 3, 2)
        self.coarse = C2f(c + d, d, 1)
        self.heads = nn.ModuleList((Head(c, c), Head(d, c)))

    def forward(self, x: Tensor) -> Tensor:
        p3 = self.p3(self.stem(x))
        p4 = self.p4(p3)
        fine = self.fine(torch.cat((self.up(p4), p3), 1))
        coarse = self.coarse(torch.cat((self.down(fine), p4), 1))
        return torch.cat(
            [
                head(f).flatten(2).transpose(1, 2)
                for head, f in zip(self.heads, (fine, coarse), strict=True)
            ],
            1,
        )


def anchors(height: int, width: int) -> tuple[Tensor, Tensor]:
    """Middles of the cells (anchors, 2) in pixels, and their strides (anchors, 1)."""
    points, strides = [], []
    for stride in STRIDES:
        y, x = torch.meshgrid(
            torch.arange(height // stride), torch.arange(width // stride), indexing="ij"
        )
        points.append((torch.stack((x, y), -1).reshape(-1, 2).float() + 0.5) * stride)
        strides.append(torch.full((points[-1].shape[0], 1), float(stride)))
    return torch.cat(points), torch.cat(strides)


def corners(distances: Tensor, points: Tensor, strides: Tensor) -> Tensor:
    """Distances to the sides → x1, y1, x2, y2 in pixels."""
    return torch.cat(
        (points - distances[..., :2] * strides, points + distances[..., 2:] * strides), -1
    )


class Exported(nn.Module):
    """What goes into the file: the layout of YOLOv8, (1, 4 + classes, anchors), boxes as cxcywh."""

    def __init__(self, detector: Detector, height: int, width: int) -> None:
        super().__init__()
        self.detector = detector
        points, strides = anchors(height, width)
        self.register_buffer("points", points[None])
        self.register_buffer("strides", strides[None])

    def forward(self, images: Tensor) -> Tensor:
        raw = self.detector(images)
        near, far = raw[..., :2] * self.strides, raw[..., 2:4] * self.strides
        centre, size = self.points + (far - near) / 2, near + far
        return torch.cat((centre, size, raw[..., 4:].sigmoid()), -1).transpose(1, 2)
