"""What a model's metadata say of its layout: text that its exporter wrote beside the weights."""

from __future__ import annotations

from collections.abc import Mapping

from detection.literal import literal

OWN_KEY = "sightline.layout"
"""Names the layout outright; add it to a model's metadata to be asked nothing."""

_OTHER_TASKS = ("segment", "pose", "obb", "classify", "semantic", "depth")
_TRANSFORMERS = frozenset({"rtdetr", "rtdetr_topk"})
_CONVOLUTIONS = frozenset({"yolov8", "end2end"})
_MAX_LENGTH = 65_536


def told(metadata: Mapping[str, str]) -> frozenset[str] | None:
    """The layouts that the exporter's own words leave; None where it left none of them.

    Ultralytics names itself and tells the class of the head (or a description, earlier), whether
    the head is end-to-end, and in `args` whether suppression was exported with it. RF-DETR writes
    how to read its outputs. Others write nothing of the kind.
    """
    if "rfdetr_inference" in metadata:
        return frozenset({"rfdetr"})
    if metadata.get("author") == "Ultralytics":
        return _ultralytics(metadata)
    return None


def other_task(metadata: Mapping[str, str]) -> str | None:
    """What the model does instead of finding boxes, where it says so."""
    task = metadata.get("task")
    return task if task in _OTHER_TASKS else None


def _ultralytics(metadata: Mapping[str, str]) -> frozenset[str]:
    head = metadata.get("head", "")
    description = metadata.get("description", "").lower().replace("-", "")
    if head == "RTDETRDecoder" or (not head and "rtdetr" in description):
        return _TRANSFORMERS
    end_to_end, suppression = metadata.get("end2end"), _suppression(metadata)
    if end_to_end == "True" or suppression is True:
        return frozenset({"end2end"})
    # An exporter that tells one of them only may have done the other in silence.
    neither = end_to_end == "False" and suppression is False
    left = _CONVOLUTIONS - {"end2end"} if neither else _CONVOLUTIONS
    return left if head or "yolo" in description else left | _TRANSFORMERS


def _suppression(metadata: Mapping[str, str]) -> bool | None:
    """Whether `args`, a Python dict as text, has nms=True; None where it does not tell."""
    arguments = literal(metadata.get("args", ""), longest=_MAX_LENGTH)
    nms = arguments.get("nms") if isinstance(arguments, dict) else None
    return nms if isinstance(nms, bool) else None
