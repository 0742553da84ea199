"""What is said of a folder's models: every field, and every refusal by its file and field."""

from __future__ import annotations

import gc
from pathlib import Path
from typing import Any

import pytest

from detection.errors import ModelError
from detection.layouts.layout import InputSize, Preparation
from detection.models import manifest
from detection.models.manifest import Catalogue, Listed

DIGEST = "ab" * 32
FULL = f"""
default = "boats"

[[models]]
name = "cars"
file = "cars.onnx"

[[models]]
name = "boats"
file = "v2/boats.onnx"
version = "2026-11"
sha256 = "{DIGEST}"
layout = "yolox"
labels_file = "boats.txt"
confidence = 0.4
thresholds = {{ ferry = 0.7, "small boat" = 0 }}
nms_iou = 0.5
class_agnostic = true
max_detections = 7
input_size = [96, 64]

[models.pixels]
fit = "stretch"
colours = "RGB"
padding = 0
scale = 0.5
mean = [1, 2, 3]
deviation = [4, 5, 6]
"""
# Without a file of labels, which need not be there.
BARE = FULL.replace("labels_file", "#")


def write(folder: Path, text: str) -> Path:
    (folder / "models.toml").write_text(text, encoding="utf-8")
    return folder


def one(folder: Path, line: str = "") -> Listed:
    """A manifest of one model, of which this is said."""
    known = {"name": 'name = "m"', "file": 'file = "m.onnx"'}
    for each in filter(None, line.splitlines()):
        known[each.split("=")[0].strip()] = each
    write(folder, "[[models]]\n" + "\n".join(known.values()) + "\n")
    found = manifest.read(folder)
    (listed,) = found.models.values()
    return listed


def refused(read: Any, *arguments: Any) -> str:
    with pytest.raises(ModelError) as caught:
        read(*arguments)
    sentence = str(caught.value)
    assert "\n" not in sentence
    return sentence


def said(folder: Path, sentence: str) -> str:
    """A refusal without the name of the file, which must come first."""
    start = f"{folder / 'models.toml'}: "
    assert sentence.startswith(start)
    return sentence.removeprefix(start)


def test_every_field_is_read(tmp_path):
    (tmp_path / "boats.txt").write_text("ferry\n\n  small boat \n", encoding="utf-8")
    found = manifest.read(write(tmp_path, FULL))
    assert found.default == "boats"
    assert list(found.models) == ["cars", "boats"]
    listed = found.models["boats"]
    entry = listed.entry
    assert listed.path == tmp_path / "v2/boats.onnx"
    assert listed.labels == ("ferry", "small boat")
    assert (entry.name, entry.version, entry.sha256) == ("boats", "2026-11", DIGEST)
    assert (entry.layout, entry.confidence, entry.nms_iou) == ("yolox", 0.4, 0.5)
    assert entry.thresholds == {"ferry": 0.7, "small boat": 0.0}
    assert (entry.class_agnostic, entry.max_detections) == (True, 7)
    assert entry.size() == InputSize(width=96, height=64)
    assert entry.pixels.over(Preparation()) == Preparation(
        fit="stretch",
        colours="RGB",
        padding=0,
        scale=0.5,
        mean=(1.0, 2.0, 3.0),
        deviation=(4.0, 5.0, 6.0),
    )


def test_of_what_is_not_said_the_layouts_own_counts(tmp_path):
    listed = one(tmp_path)
    usual = Preparation(fit="top_left", colours="BGR", padding=7, scale=1.0, mean=(1.0, 2.0, 3.0))
    assert listed.entry.pixels.over(usual) == usual
    assert listed.entry.size() is None
    assert listed.labels is None
    partly = one(tmp_path, 'pixels = { colours = "RGB" }').entry.pixels.over(usual)
    assert (partly.colours, partly.fit, partly.padding) == ("RGB", "top_left", 7)


@pytest.mark.parametrize(
    ("value", "size"),
    [("320", (320, 320)), ("[96, 64]", (96, 64)), ("[8192, 1]", (8192, 1))],
)
def test_an_input_size_is_one_side_or_width_and_height(tmp_path, value, size):
    assert one(tmp_path, f"input_size = {value}").entry.size() == InputSize(
        width=size[0], height=size[1]
    )
    # A bounded number beside a list of a fixed length brings msgspec 0.22 down, but only here.
    gc.collect()


@pytest.mark.parametrize(
    ("value", "labels"),
    [
        ('["car", "boat"]', ("car", "boat")),
        ('{ 1 = "boat", 0 = "car" }', ("car", "boat")),
        ('{ 0 = "car", 2 = "boat" }', ("car", "class-1", "boat")),
    ],
)
def test_labels_are_in_order_or_by_number(tmp_path, value, labels):
    assert one(tmp_path, f"labels = {value}").labels == labels


@pytest.mark.parametrize(
    ("line", "field", "words"),
    [
        ("bogus = 1", "bogus", "not a field"),
        ("pixels = { bogus = 1 }", "pixels.bogus", "not a field"),
        ('name = ""', "name", ""),
        ('name = "a b"', "name", "'a b'"),
        ('name = "../x"', "name", "'../x'"),
        ('name = "a\\n"', "name", ""),
        (f'name = "{"x" * 65}"', "name", ""),
        ('file = ""', "file", ""),
        ('file = "/etc/passwd"', "file", "not in the manifest's folder"),
        ('file = "../other/m.onnx"', "file", "not in the manifest's folder"),
        ('file = "a/../../m.onnx"', "file", "not in the manifest's folder"),
        ('file = "a\\u0000b"', "file", "no name of a file"),
        ('file = "circle/m.onnx"', "file", ""),
        ('file = "outside.onnx"', "file", "not in the manifest's folder"),
        ('file = "elsewhere/m.onnx"', "file", "not in the manifest's folder"),
        ('version = ""', "version", ""),
        (f'version = "{"x" * 65}"', "version", ""),
        (f'sha256 = "{DIGEST[:-1]}"', "sha256", ""),
        (f'sha256 = "{DIGEST.upper()}"', "sha256", ""),
        ("layout = 8", "layout", ""),
        ("labels = []", "labels", "found 0"),
        ("labels = {}", "labels", "found 0"),
        ('labels = ["car", ""]', "labels", "name 1"),
        ('labels = { one = "car" }', "labels", "'one'"),
        ("labels = [1]", "labels", ""),
        ('labels = ["car"]\nlabels_file = "l.txt"', "labels_file", "not both"),
        ('labels_file = "none.txt"', "labels_file", "No such file"),
        ('labels_file = "../l.txt"', "labels_file", "not in the manifest's folder"),
        ('labels_file = "\\u0000"', "labels_file", "no name of a file"),
        ('labels_file = "latin.txt"', "labels_file", "not UTF-8"),
        ('labels_file = "empty.txt"', "labels_file", "found 0"),
        ('labels_file = "elsewhere"', "labels_file", "not in the manifest's folder"),
        ('labels_file = "folder"', "labels_file", "directory"),
        ("confidence = 1.01", "confidence", "0..1"),
        ("confidence = nan", "confidence", "0..1"),
        ("thresholds = { car = 1.01 }", "thresholds.car", "0..1"),
        ("thresholds = { car = nan }", "thresholds.car", "0..1"),
        ('thresholds = { car = "high" }', "thresholds", ""),
        ("nms_iou = -0.1", "nms_iou", "0..1"),
        ('class_agnostic = "yes"', "class_agnostic", ""),
        ("max_detections = 0", "max_detections", "1..10000"),
        ("max_detections = 10001", "max_detections", "1..10000"),
        ("input_size = 0", "input_size", ""),
        ("input_size = 8193", "input_size", ""),
        ("input_size = [640]", "input_size", ""),
        ("input_size = [640, 640, 3]", "input_size", ""),
        ("input_size = [640, 0]", "input_size", ""),
        ('pixels = { fit = "crop" }', "pixels.fit", "letterbox"),
        ('pixels = { colours = "GBR" }', "pixels.colours", "BGR"),
        ("pixels = { padding = 256 }", "pixels.padding", "0..255"),
        ("pixels = { scale = 0 }", "pixels.scale", "0..1000"),
        ("pixels = { scale = nan }", "pixels.scale", "0..1000"),
        ("pixels = { mean = [1, 2] }", "pixels.mean", ""),
        ("pixels = { mean = [1, 2, nan] }", "pixels.mean", ""),
        ("pixels = { deviation = [1, 0, 1] }", "pixels.deviation", ""),
        ("pixels = { deviation = [1, inf, 1] }", "pixels.deviation", ""),
    ],
)
def test_what_is_wrong_is_refused_by_its_field(tmp_path, line, field, words):
    folder = tmp_path / "models"
    folder.mkdir()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "m.onnx").touch()
    (folder / "outside.onnx").symlink_to(outside / "m.onnx")
    (folder / "elsewhere").symlink_to(outside)
    (folder / "circle").symlink_to(folder / "circle")
    (folder / "folder").mkdir()
    (folder / "latin.txt").write_bytes("bö".encode("latin-1"))
    (folder / "empty.txt").write_text(" \n\n")
    (folder / "l.txt").write_text("car\n")
    sentence = said(folder, refused(one, folder, line))
    assert sentence.startswith(f"models[0].{field}")
    assert words in sentence


def test_a_link_within_the_folder_is_followed(tmp_path):
    """Kubernetes mounts a ConfigMap's files as links to a hidden folder beside them."""
    data = tmp_path / "..2026_11_26"
    data.mkdir()
    (data / "m.onnx").touch()
    (data / "labels.txt").write_text("car\n")
    (tmp_path / "..data").symlink_to(data)
    for name in ("m.onnx", "labels.txt"):
        (tmp_path / name).symlink_to(Path("..data") / name)
    assert one(tmp_path, 'labels_file = "labels.txt"').labels == ("car",)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "models: is missing"),
        ("models = []", "models"),
        ("models = 7", "models"),
        ("bogus = 1", "bogus"),
        ('[[models]]\nfile = "m.onnx"', "models[0].name: is missing"),
        ('[[models]]\nname = "m"', "models[0].file: is missing"),
        ("[[models]\n", "not TOML"),
        ("default = 'x'\ndefault = 'y'", "not TOML"),
        (BARE.replace('"boats"\nfile', '"cars"\nfile'), "models[1].name: 'cars' is there twice"),
        (
            BARE.replace('default = "boats"', 'default = "ships"'),
            "default: 'ships' is not in it (known: cars, boats)",
        ),
    ],
)  # fmt: skip
def test_a_manifest_that_is_none_is_refused(tmp_path, text, words):
    sentence = said(tmp_path, refused(manifest.read, write(tmp_path, text)))
    assert words in sentence


def test_a_manifest_of_other_bytes_is_refused(tmp_path):
    (tmp_path / "models.toml").write_bytes(b"\xff\xfe")
    assert "not TOML" in said(tmp_path, refused(manifest.read, tmp_path))


def names(catalogue: Catalogue) -> list[str]:
    return list(catalogue.models)


def test_a_folder_without_one_means_its_models_by_name(tmp_path):
    for name in ("b.onnx", "a.onnx", "notes.txt", "._a.onnx", ".hidden.onnx"):
        (tmp_path / name).touch()
    found = manifest.read(tmp_path)
    assert names(found) == ["a", "b"]
    assert found.models["a"].path == tmp_path / "a.onnx"
    assert found.default is None
    assert names(manifest.read(tmp_path / "b.onnx")) == ["b"]


@pytest.mark.parametrize("name", ["a b", "ä", "-a", "x" * 65, "a\nb"])
def test_a_file_whose_name_cannot_be_a_models_is_refused_with_the_way_out(tmp_path, name):
    path = tmp_path / f"{name}.onnx"
    path.touch()
    sentence = refused(manifest.read, path)
    assert sentence.startswith(f"{tmp_path}: ")
    assert "letters, digits and ._-" in sentence
    assert ascii(path.name)[:40] in sentence
    assert "models.toml" in sentence
    # And that is the way out.
    listed = one(tmp_path, f'file = "{name}.onnx"'.replace("\n", "\\n"))
    assert listed.path == path


def test_a_folder_without_models_and_no_folder_at_all(tmp_path):
    sentence = refused(manifest.read, tmp_path)
    assert str(tmp_path) in sentence
    assert "models.toml or *.onnx" in sentence
    assert "no such file or folder" in refused(manifest.read, tmp_path / "nowhere")
