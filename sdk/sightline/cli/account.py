"""An account of a model that would be served: as a JSON document, and in lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from detection.layouts.layout import Tensor
    from detection.models.model import Model

_FIRST_LABELS = 8


def account(model: Model) -> dict[str, Any]:
    """All that there is to say, in plain values."""
    info, origin, form, rules = model.info, model.origin, model.form, model.rules
    wide = origin.wide_seconds
    return {
        "name": info.name,
        "file": str(model.path),
        "served": True,
        "version": info.version,
        "bytes": origin.bytes,
        "sha256": info.sha256,
        "ir_version": origin.ir_version,
        "opset": origin.opset,
        "inputs": [_tensor(each) for each in model.signature.inputs],
        "outputs": [_tensor(each) for each in model.signature.outputs],
        "layout": info.layout,
        "layout_by": origin.layout_by,
        "labels": list(info.labels),
        "input": {
            "name": form.name,
            "width": form.size.width,
            "height": form.size.height,
            "axes": form.axes,
            "type": form.dtype,
            "batch": form.batch,
        },
        "pixels": {
            **{name: getattr(model.preparation, name) for name in model.preparation.__slots__},
            "folded": origin.folded,
        },
        "confidence": rules.confidence,
        "thresholds": dict(rules.thresholds),
        "nms_iou": None if model.layout.suppressed else rules.nms_iou,
        "class_agnostic": rules.class_agnostic,
        "max_detections": rules.max_detections,
        "provider": info.provider,
        "run_ms": round(origin.narrow_seconds * 1000.0, 2),
        "wide_run_ms": None if wide is None else round(wide * 1000.0, 2),
    }


def lines(told: dict[str, Any]) -> Iterator[str]:
    """An account, for people."""
    size, pixels = told["input"], told["pixels"]
    yield f"{told['name']} {told['version']}: {told['file']}"
    for name, value in {
        "file": f"{told['bytes'] / 1e6:.1f} MB, opset {told['opset']}, sha256 {told['sha256']}",
        "inputs": _tensors(told["inputs"]),
        "outputs": _tensors(told["outputs"]),
        "layout": f"{told['layout']}, by {told['layout_by']}",
        "labels": _labels(told["labels"]),
        "image": f"{size['width']} x {size['height']}, {pixels['fit']}, {pixels['colours']},"
        f" padding {pixels['padding']}",
        "pixels": _pixels(pixels, size["type"]),
        "rules": _rules(told),
        "runs": _runs(told),
    }.items():
        yield f"  {name:<8}{value}"


def _tensor(tensor: Tensor) -> dict[str, Any]:
    return {"name": tensor.name, "shape": list(tensor.shape), "type": tensor.dtype}


def _tensors(found: list[dict[str, Any]]) -> str:
    parts = []
    for each in found:
        sides = ", ".join("?" if side is None else str(side) for side in each["shape"])
        # Names are the file's own: whatever is in them, a line stays one.
        parts.append(" ".join(f"{each['name']} [{sides}] of {each['type']}".split()))
    return "; ".join(parts)


def _labels(names: list[str]) -> str:
    more = ", …" if len(names) > _FIRST_LABELS else ""
    return f"{len(names)}: {', '.join(names[:_FIRST_LABELS])}{more}"


def _pixels(pixels: dict[str, Any], dtype: str) -> str:
    if dtype == "uint8":
        return "as they are"
    steps = [f"x {pixels['scale']:.6g}"]
    if pixels["mean"] is not None:
        steps.append("- " + "/".join(f"{each:g}" for each in pixels["mean"]))
    if pixels["deviation"] is not None:
        steps.append(": " + "/".join(f"{each:g}" for each in pixels["deviation"]))
    return f"{' '.join(steps)}, in the graph ({pixels['folded']})"


def _rules(told: dict[str, Any]) -> str:
    parts = [f"confidence {told['confidence']:g}"]
    parts += [f"{name} {value:g}" for name, value in told["thresholds"].items()]
    if told["nms_iou"] is None:
        parts.append("suppressed by the model itself")
    else:
        whose = "of any classes" if told["class_agnostic"] else "within a class"
        parts.append(f"NMS IoU {told['nms_iou']:g} {whose}")
    parts.append(f"at most {told['max_detections']}")
    return ", ".join(parts)


def _runs(told: dict[str, Any]) -> str:
    wide = told["wide_run_ms"]
    alone = "" if wide is None else f", {wide:g} ms on all cores"
    return f"{told['run_ms']:g} ms in a lane{alone}, {told['provider']}"
