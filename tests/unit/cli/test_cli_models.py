"""`sightline models`: what would be served, said before it is."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from detection.models import manifest
from fakes.detectors import Wish, detector
from fakes.models import LABELS, blob_model, constant_model
from sightline.cli import exits

Command = Callable[..., Any]


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    blob_model(tmp_path / "blobs.onnx", width=96, height=64, metadata={"version": "7"})
    (tmp_path / "bytes.onnx").write_bytes(detector("tf_ssd"))
    return tmp_path


def without_labels(path: Path) -> Path:
    return constant_model(path, output=np.zeros((1, 7, 2)), metadata={})


def test_a_file_is_told_as_it_would_be_served(sightline: Command, folder: Path) -> None:
    path = folder / "blobs.onnx"
    ended = sightline("models", "check", str(path), "--json")
    assert (ended.code, ended.err) == (exits.OK, "")
    document = json.loads(ended.out)
    (told,) = document["models"]
    assert document["default"] == "blobs"
    expected = {
        "name": "blobs",
        "file": str(path),
        "served": True,
        "version": "7",
        "bytes": path.stat().st_size,
        "sha256": digest(path),
        "opset": 17,
        "inputs": [{"name": "images", "shape": [1, 3, 64, 96], "type": "float32"}],
        "outputs": [{"name": "output0", "shape": [1, 7, 3], "type": "float32"}],
        "layout": "yolov8",
        "layout_by": "the names and shapes of its tensors",
        "labels": list(LABELS),
        "confidence": 0.25,
        "thresholds": {},
        "nms_iou": 0.6,
        "class_agnostic": False,
        "max_detections": 300,
        "provider": "CPUExecutionProvider",
    }
    assert {name: told[name] for name in expected} == expected
    assert told["input"]["width"] == 96
    assert told["input"]["height"] == 64
    assert (told["pixels"]["fit"], told["pixels"]["colours"]) == ("letterbox", "RGB")
    assert told["run_ms"] > 0


def test_for_people_it_is_a_few_lines_that_say_the_same(sightline: Command, folder: Path) -> None:
    ended = sightline("models", "check", str(folder / "blobs.onnx"))
    assert ended.code == exits.OK
    first, *rest = ended.out.splitlines()
    assert first == f"blobs 7: {folder / 'blobs.onnx'}"
    said = {line.split()[0]: " ".join(line.split()[1:]) for line in rest}
    assert digest(folder / "blobs.onnx") in said["file"]
    assert said["inputs"] == "images [1, 3, 64, 96] of float32"
    assert said["layout"].startswith("yolov8, by ")
    assert said["labels"] == "3: red, green, blue"
    assert said["image"] == "96 x 64, letterbox, RGB, padding 114"
    assert "within a class, at most 300" in said["rules"]
    assert "CPUExecutionProvider" in said["runs"]


def test_a_folder_is_all_its_models_and_the_manifests_default(
    sightline: Command, folder: Path
) -> None:
    (folder / "models.toml").write_text(
        """
default = "second"
[[models]]
name = "first"
file = "blobs.onnx"
thresholds = { red = 0.5 }
class_agnostic = true
[[models]]
name = "second"
file = "bytes.onnx"
"""
    )
    document = json.loads(sightline("models", "check", str(folder), "--json").out)
    assert document["default"] == "second"
    first, second = document["models"]
    assert (first["name"], first["thresholds"], first["class_agnostic"]) == (
        "first",
        {"red": 0.5},
        True,
    )
    # It suppresses overlapping boxes itself, and takes bytes.
    assert (second["layout"], second["nms_iou"], second["pixels"]["folded"]) == (
        "tf_ssd",
        None,
        "bytes",
    )
    ended = sightline("models", "check", str(folder))
    assert ended.out.splitlines()[-1] == "default: second"
    assert "suppressed by the model itself" in ended.out
    assert "NMS IoU 0.6 of any classes" in ended.out
    assert "pixels  as they are" in ended.out


def test_what_is_refused_is_1_and_why_and_the_others_are_told(
    sightline: Command, folder: Path
) -> None:
    broken = folder / "broken.onnx"
    broken.write_bytes(b"not a model")
    ended = sightline("models", "check", str(folder))
    assert ended.code == exits.FAILED
    assert f"{broken}: not a whole ONNX file" in ended.complaint
    assert f"blobs 7: {folder / 'blobs.onnx'}" in ended.out
    ended = sightline("models", "check", str(folder), "--json")
    assert ended.code == exits.FAILED
    told = {each["name"]: each for each in json.loads(ended.out)["models"]}
    assert told["blobs"]["served"] is True
    assert told["broken"]["served"] is False
    assert f"sightline: {told['broken']['reason']}" == ended.complaint


@pytest.mark.parametrize(
    ("text", "words"), [("bogus = 1", "bogus"), (None, "no such file or folder")]
)
def test_a_manifest_or_a_path_that_makes_no_sense_is_one_sentence(
    sightline: Command, tmp_path: Path, text: str | None, words: str
) -> None:
    folder = tmp_path / "models"
    if text is not None:
        folder.mkdir()
        (folder / "models.toml").write_text(text)
    ended = sightline("models", "check", str(folder))
    assert ended.code == exits.FAILED
    assert words in ended.complaint
    assert ended.out == ""


def test_labels_and_layout_can_be_said_on_the_command_line(
    sightline: Command, tmp_path: Path
) -> None:
    path = without_labels(tmp_path / "bare.onnx")
    assert "`names`" in sightline("models", "check", str(path)).complaint
    labels = tmp_path / "labels.txt"
    labels.write_text("red\ngreen\nblue\n")
    said = ("--labels", str(labels), "--layout", "yolov8", "--json")
    (told,) = json.loads(sightline("models", "check", str(path), *said).out)["models"]
    assert (told["labels"], told["layout"]) == (list(LABELS), "yolov8")
    assert told["layout_by"] == "the settings"
    # Which of a folder's models they are of, they do not say.
    ended = sightline("models", "check", str(tmp_path), "--labels", str(labels))
    assert ended.code == exits.USAGE
    labels.write_bytes(b"\xff")
    ended = sightline("models", "check", str(path), "--labels", str(labels))
    assert ended.complaint == f"sightline: --labels: {labels}: not UTF-8 text"


def test_a_first_manifest_is_what_check_and_the_service_read(
    sightline: Command, folder: Path
) -> None:
    many = tuple(f'the "{number}th" of many' for number in range(40))
    odd = folder / "odd näme (1).onnx"
    blob_model(odd)
    blob_model(folder / "odd-n-me-1.onnx")
    constant_model(
        folder / "many.onnx",
        output=np.zeros((1, 44, 2)),
        metadata={"names": str(dict(enumerate(many))), "sightline.layout": "yolov8"},
    )
    ended = sightline("models", "manifest", str(folder))
    assert (ended.code, ended.err) == (exits.OK, "")
    found = manifest.read(folder)
    assert found.default == "blobs"
    assert {name: listed.path.name for name, listed in found.models.items()} == {
        "blobs": "blobs.onnx",
        "bytes": "bytes.onnx",
        "many": "many.onnx",
        "odd-n-me-1": "odd näme (1).onnx",
        "odd-n-me-1-2": "odd-n-me-1.onnx",
    }
    assert found.models["many"].labels == many
    for listed in found.models.values():
        assert listed.entry.sha256 == digest(listed.path)
    assert found.models["bytes"].entry.layout == "tf_ssd"
    text = (folder / "models.toml").read_text()
    assert max(map(len, text.splitlines())) <= 100
    assert sightline("models", "check", str(folder)).code == exits.OK


def test_what_a_first_manifest_cannot_know_is_left_open_with_the_reason(
    sightline: Command, folder: Path
) -> None:
    bare = without_labels(folder / "bare.onnx")
    ended = sightline("models", "manifest", str(folder))
    assert ended.code == exits.FAILED
    assert f"{bare}: expected `names`" in ended.complaint
    text = (folder / "models.toml").read_text()
    found = manifest.read(folder)
    assert found.models["bare"].entry.layout is None
    assert found.models["bare"].entry.sha256 == digest(bare)
    assert found.default == "blobs"
    # Filled in as it asks for, it is served.
    (folder / "names.txt").write_text("red\ngreen\nblue\n")
    text = text.replace('# layout = ""', 'layout = "yolov8"')
    (folder / "models.toml").write_text(
        text.replace('# labels_file = ""', 'labels_file = "names.txt"')
    )
    assert sightline("models", "check", str(folder)).code == exits.OK


def test_a_manifest_that_is_there_is_never_written_over(sightline: Command, folder: Path) -> None:
    target = folder / "models.toml"
    target.write_text("# mine\n")
    ended = sightline("models", "manifest", str(folder))
    assert ended.code == exits.FAILED
    assert str(target) in ended.complaint
    assert target.read_text() == "# mine\n"


def test_a_link_out_of_the_folder_is_not_what_a_manifest_may_name(
    sightline: Command, folder: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    outside = tmp_path_factory.mktemp("outside") / "far.onnx"
    outside.write_bytes(detector("yolov8", Wish()))
    (folder / "far.onnx").symlink_to(outside)
    ended = sightline("models", "manifest", str(folder))
    assert ended.code == exits.FAILED
    assert "not in the manifest's folder" in ended.complaint
    assert list(manifest.read(folder).models) == ["blobs", "bytes"]


def test_a_folder_without_models_has_no_manifest(sightline: Command, tmp_path: Path) -> None:
    ended = sightline("models", "manifest", str(tmp_path))
    assert ended.code == exits.FAILED
    assert "*.onnx" in ended.complaint
    assert not (tmp_path / "models.toml").exists()
