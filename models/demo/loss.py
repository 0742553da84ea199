"""What training minimises: task-aligned assignment, CIoU for boxes, cross-entropy for classes.

Source: Feng et al., "TOOD: Task-aligned One-stage Object Detection", 2021; Zheng et al.,
"Distance-IoU Loss", 2020.
"""

from __future__ import annotations

import math

import torch
from network import CLASSES, anchors, corners
from torch import Tensor, nn

_TOP = 8
_RADIUS = 1.5


def overlap(a: Tensor, b: Tensor, *, complete: bool = False) -> Tensor:
    """IoU of boxes (..., 4) that broadcast; with `complete`, CIoU."""
    low, high = torch.max(a[..., :2], b[..., :2]), torch.min(a[..., 2:], b[..., 2:])
    inter = (high - low).clamp(min=0).prod(-1)
    size_a, size_b = a[..., 2:] - a[..., :2], b[..., 2:] - b[..., :2]
    union = size_a.prod(-1) + size_b.prod(-1) - inter + 1e-7
    iou = inter / union
    if not complete:
        return iou
    hull = torch.max(a[..., 2:], b[..., 2:]) - torch.min(a[..., :2], b[..., :2])
    apart = ((a[..., :2] + a[..., 2:] - b[..., :2] - b[..., 2:]) ** 2).sum(-1) / 4
    angle = torch.atan(size_a[..., 0] / (size_a[..., 1] + 1e-7)) - torch.atan(
        size_b[..., 0] / (size_b[..., 1] + 1e-7)
    )
    v = 4 / math.pi**2 * angle**2
    with torch.no_grad():
        alpha = v / (v - iou + 1 + 1e-7)
    return iou - apart / (hull.pow(2).sum(-1) + 1e-7) - alpha * v


class DetectionLoss(nn.Module):
    """For images of one size; truth is a list of (labels, boxes, ignored boxes) per image."""

    def __init__(self, height: int, width: int) -> None:
        super().__init__()
        self.points, self.strides = anchors(height, width)

    def forward(self, raw: Tensor, truth: list[tuple[Tensor, Tensor, Tensor]]) -> Tensor:
        raw = raw.float()
        boxes = corners(raw[..., :4], self.points, self.strides)
        logits = raw[..., 4:]
        class_loss = raw.new_zeros(())
        box_loss, weight = raw.new_zeros(()), raw.new_zeros(())
        for image, (labels, wanted, ignored) in enumerate(truth):
            target, owner, quality = self._assign(logits[image], boxes[image], labels, wanted)
            counted = torch.ones(len(self.points))
            if len(ignored):
                inside = self._inside(ignored).any(1) & (owner < 0)
                counted = counted * (~inside)
            each = nn.functional.binary_cross_entropy_with_logits(
                logits[image], target, reduction="none"
            ).sum(1)
            class_loss = class_loss + (each * counted).sum()
            mine = owner >= 0
            if mine.any():
                share = quality[mine]
                ciou = overlap(boxes[image][mine], wanted[owner[mine]], complete=True)
                box_loss = box_loss + ((1 - ciou) * share).sum()
                weight = weight + share.sum()
        scale = weight.clamp(min=1.0)
        return class_loss / scale * 0.7 + box_loss / scale * 5.0

    def _inside(self, boxes: Tensor) -> Tensor:
        p = self.points[:, None]
        return ((p > boxes[None, :, :2]) & (p < boxes[None, :, 2:])).all(-1)

    @torch.no_grad()
    def _assign(
        self, logits: Tensor, boxes: Tensor, labels: Tensor, wanted: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Targets (anchors, classes), owner (anchors,) or −1, and quality (anchors,)."""
        target = torch.zeros(len(self.points), len(CLASSES))
        owner = torch.full((len(self.points),), -1, dtype=torch.long)
        quality = torch.zeros(len(self.points))
        if not len(wanted):
            return target, owner, quality
        middle = (wanted[:, :2] + wanted[:, 2:]) / 2
        near = ((self.points[:, None] - middle[None]).abs() < _RADIUS * self.strides[:, None]).all(
            -1
        )
        # Small things, whose boxes hold the middle of no cell, take the cells around them.
        allowed = self._inside(wanted) & near
        allowed |= near & (~allowed.any(0))[None]
        iou = overlap(boxes[:, None], wanted[None]).clamp(min=0)
        score = logits.sigmoid()[:, labels]
        aligned = (score.sqrt() * iou**4 + 1e-9) * allowed
        top = aligned.topk(min(_TOP, len(self.points)), dim=0)
        chosen = torch.zeros_like(aligned, dtype=torch.bool).scatter_(0, top.indices, True)
        chosen &= allowed
        aligned = aligned * chosen
        best, index = aligned.max(1)
        mine = best > 0
        owner[mine] = index[mine]
        peak = aligned.max(0).values
        good = (iou * chosen).max(0).values
        share = best[mine] / peak[owner[mine]].clamp(min=1e-9) * good[owner[mine]].clamp(min=0.05)
        quality[mine] = share
        target[mine, labels[owner[mine]]] = share
        return target, owner, quality
