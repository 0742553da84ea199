"""Loading a model: checked before any runtime sees it, warmed before it is used."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from detection.errors import InferenceError, ModelError
from detection.layouts import Layout, choice, provenance
from detection.layouts.layout import Preparation, Signature
from detection.models import labels, onnx_file
from detection.models.folding import Folded, fold
from detection.models.form import InputForm, form_of
from detection.models.manifest import Listed
from detection.models.model import Model, Options, Origin, Rules
from detection.models.onnx_file import OnnxHeader
from detection.models.pace import Pace
from detection.models.plain import PlainSession
from detection.models.session import Session
from sightline.messages import ModelInfo
from telemetry import logs

_MEGABYTE = 1_000_000
_MAX_VERSION_LENGTH = 64

log = logs.get("detection.models")


@dataclass(frozen=True, kw_only=True, slots=True)
class _Understood:
    """All that is known of a model before its graph is loaded for good."""

    bytes: int
    sha256: str
    header: OnnxHeader
    labels: tuple[str, ...]
    form: InputForm
    layout: Layout
    layout_by: str
    preparation: Preparation
    rules: Rules
    folded: Folded


def load(listed: Listed, options: Options) -> Model:
    """Check, load and warm one model. Raises ModelError in one sentence that names the file."""
    path = listed.path
    began = time.perf_counter()
    # The file's own bytes are let go before the session takes its memory.
    understood = _understood(listed, options)
    try:
        model = _warm(understood, listed, options)
    except (ModelError, InferenceError) as error:
        raise ModelError(f"{path}: {error}") from error
    info = model.info
    log.info(
        "model loaded",
        model=info.name,
        model_version=info.version,
        sha256=info.sha256,
        layout=info.layout,
        labels=len(info.labels),
        input=f"{info.input_width}x{info.input_height}",
        provider=info.provider,
        opset=model.origin.opset,
        run_ms=round(model.pace.seconds * 1000.0, 1),
        load_ms=round((time.perf_counter() - began) * 1000.0, 1),
    )
    return model


def _understood(listed: Listed, options: Options) -> _Understood:
    path, entry = listed.path, listed.entry
    data = _read(path, options.max_megabytes)
    sha256 = hashlib.sha256(data).hexdigest()
    if entry.sha256 is not None and entry.sha256 != sha256:
        raise ModelError(f"{path}: expected sha256 {entry.sha256}, found {sha256}")
    header = onnx_file.inspect(data, name=str(path))
    try:
        names = _labels(listed, header.signature)
        form = form_of(header.signature, size=entry.size(), default_size=options.input_size)
        layout, by = _layout(
            data,
            listed,
            options,
            signature=header.signature,
            form=form,
            count=len(names),
        )
        preparation = _preparation(listed, layout, form)
        return _Understood(
            bytes=len(data),
            sha256=sha256,
            header=header,
            labels=names,
            form=form,
            layout=layout,
            layout_by=by,
            preparation=preparation,
            rules=_rules(listed, options, names),
            folded=fold(data, form, preparation),
        )
    except (ModelError, InferenceError) as error:
        raise ModelError(f"{path}: {error}") from error


def _read(path: Path, max_megabytes: float) -> bytes:
    try:
        if path.exists() and not path.is_file():
            raise ModelError(f"{path}: expected a file, found something else")
        size = path.stat().st_size
        if size > max_megabytes * _MEGABYTE:
            raise ModelError(
                f"{path}: the file has {size / _MEGABYTE:.0f} MB,"
                f" at most {max_megabytes:g} MB are taken"
            )
        # Read once: what is checked and hashed is what is loaded, whatever happens to the file.
        with path.open("rb") as file:
            return file.read(size)
    except OSError as error:
        raise ModelError(f"{path}: {error.strerror}") from error


def _labels(listed: Listed, signature: Signature) -> tuple[str, ...]:
    if listed.labels is not None:
        return listed.labels
    names = labels.labels_of(signature.metadata)
    if isinstance(names, str):
        raise ModelError(names)
    return names


def _layout(
    data: bytes,
    listed: Listed,
    options: Options,
    *,
    signature: Signature,
    form: InputForm,
    count: int,
) -> tuple[Layout, str]:
    """The one that fits what the file declares, and what told it.

    Where several fit, what a plain run of the file gives. `count` is that of the labels.
    """
    stated = listed.entry.layout or options.layout
    candidates = choice.choose(signature, labels=count, stated=stated)
    if len(candidates) > 1:
        outputs = _plain_run(data, signature, form, candidates, options.intra_threads)
        chosen = choice.confirm(candidates, signature, outputs, labels=count, size=form.size)
        return chosen, "a warm-up frame"
    if stated is not None:
        return candidates[0], "the manifest" if listed.entry.layout else "the settings"
    if provenance.OWN_KEY in signature.metadata:
        return candidates[0], f"`{provenance.OWN_KEY}` in its metadata"
    if provenance.told(signature.metadata) is not None:
        return candidates[0], "its exporter's metadata"
    return candidates[0], "the names and shapes of its tensors"


def _preparation(listed: Listed, layout: Layout, form: InputForm) -> Preparation:
    pixels = listed.entry.pixels
    if form.dtype == "uint8" and pixels.values:
        raise ModelError(
            f"pixels.{pixels.values[0]}: the model takes bytes, which are not scaled or shifted"
        )
    return pixels.over(layout.preparation)


def _plain_run(
    data: bytes,
    signature: Signature,
    form: InputForm,
    candidates: tuple[Layout, ...],
    threads: int,
) -> list[NDArray[Any]]:
    session = Session(data, threads=threads)
    pixels = np.linspace(0.0, 1.0, int(np.prod(form.shape)), dtype=np.float32).reshape(form.shape)
    values = (pixels * 255).astype(np.uint8) if form.dtype == "uint8" else pixels
    feed: dict[str, NDArray[Any]] = {form.name: values.astype(form.dtype)}
    for candidate in candidates:
        feed.update(candidate.companions(signature, size=form.size))
    try:
        return session.run(feed)
    except InferenceError as error:
        raise ModelError(f"it fails on a warm-up frame: {error}") from error


def _rules(listed: Listed, options: Options, names: tuple[str, ...]) -> Rules:
    entry = listed.entry
    unknown = [name for name in entry.thresholds if name not in names]
    if unknown:
        raise ModelError(f"thresholds: {unknown[0][:64]!r} is none of its labels")
    return Rules(
        confidence=options.confidence if entry.confidence is None else entry.confidence,
        thresholds=entry.thresholds,
        nms_iou=options.nms_iou if entry.nms_iou is None else entry.nms_iou,
        class_agnostic=entry.class_agnostic,
        max_detections=entry.max_detections or options.max_detections,
    )


def _version(listed: Listed, metadata: Mapping[str, str]) -> str:
    """As stated, else as the file has it, where that is a version and no text."""
    stated = listed.entry.version or metadata.get("version", "")
    short = stated if len(stated) <= _MAX_VERSION_LENGTH and stated.isprintable() else ""
    return short or "0"


def _warm(understood: _Understood, listed: Listed, options: Options) -> Model:
    """Load the graph, run it on a gradient and look at what comes out."""
    form, layout = understood.form, understood.layout
    signature, folded = understood.header.signature, understood.folded
    companions = layout.companions(signature, size=form.size)
    narrow, wide = _sessions(folded.data, options)
    gradient = np.linspace(0.0, 255.0, int(np.prod(form.shape)), dtype=np.float32)
    feed = {folded.input_name: gradient.astype(np.uint8).reshape(form.shape), **companions}
    outputs, narrow_seconds = _timed(narrow, feed)
    wide_seconds = None if wide is None else _timed(wide, feed)[1]
    choice.confirm([layout], signature, outputs, labels=len(understood.labels), size=form.size)
    return Model(
        info=ModelInfo(
            name=listed.entry.name,
            version=_version(listed, signature.metadata),
            sha256=understood.sha256,
            labels=understood.labels,
            input_width=form.size.width,
            input_height=form.size.height,
            layout=layout.name,
            provider=narrow.provider,
            confidence=understood.rules.confidence,
            loaded_at=datetime.now(UTC),
        ),
        path=listed.path,
        origin=Origin(
            bytes=understood.bytes,
            ir_version=understood.header.ir_version,
            opset=understood.header.opset,
            layout_by=understood.layout_by,
            folded=folded.how,
            narrow_seconds=narrow_seconds,
            wide_seconds=wide_seconds,
        ),
        signature=signature,
        layout=layout,
        preparation=understood.preparation,
        form=form,
        rules=understood.rules,
        input_name=folded.input_name,
        companions=companions,
        narrow=narrow,
        wide=wide,
        plain=PlainSession(
            listed.path,
            sha256=understood.sha256,
            threads=options.intra_threads,
            providers=options.providers,
        ),
        pace=Pace(narrow_seconds=narrow_seconds, wide_seconds=wide_seconds or 0.0),
    )


def _sessions(data: bytes, options: Options) -> tuple[Session, Session | None]:
    """One for lanes, and where it is another, one for an image that is alone; loaded together."""
    if options.wide_threads <= options.intra_threads or options.providers[0] != "cpu":
        return Session(data, threads=options.intra_threads, providers=options.providers), None
    with ThreadPoolExecutor(1) as beside:
        wide = beside.submit(Session, data, threads=options.wide_threads, spinning=True)
        narrow = Session(data, threads=options.intra_threads, providers=options.providers)
        return narrow, wide.result()


def _timed(session: Session, feed: Mapping[str, NDArray[Any]]) -> tuple[list[NDArray[Any]], float]:
    """What comes out, and how long that takes: somewhat longer than later, with memory at hand."""
    try:
        began = time.perf_counter()
        outputs = session.run(feed)
    except InferenceError as error:
        raise ModelError(f"it fails on a warm-up frame: {error}") from error
    return outputs, time.perf_counter() - began
