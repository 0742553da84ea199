"""`sightline detect` against a service that answers as it is told to."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageChops

from running import free_port
from sightline.cli import exits

Command = Callable[..., Any]

BOX = (20.0, 30.0, 60.0, 50.0)
PLACED = {
    "status": "placed",
    "index": 0,
    "uid": "track-1",
    "cot_type": "a-u-G-E-V-C",
    "position": {"latitude": 47.376912, "longitude": 8.541734, "hae": 455.0},
    "ce90_m": 6.4,
    "le90_m": 1.0,
    "flag": "GREEN",
    "tle_category": 1,
}
RESULT = {
    "frame_id": None,
    "camera_id": None,
    "model": {"name": "demo", "version": "1"},
    "image": {"width": 120, "height": 80},
    "detections": [
        {"class": "truck", "confidence": 0.875, "box": list(BOX), "event": PLACED},
        {"class": "boat", "confidence": 0.5, "box": [70, 10, 100, 40], "event": None},
    ],
    "committed": False,
    "timings_ms": {
        "queue": 0, "decode": 1, "letterbox": 1, "inference": 9, "postprocess": 1, "total": 12,
    },
}  # fmt: skip
PROBLEM = {
    "type": "/problems/invalid-image",
    "title": "Not an image",
    "status": 415,
    "detail": "image: neither JPEG nor PNG",
    "field": "image",
}


def picture(path: Path, *, orientation: int | None = None) -> Path:
    image = Image.new("RGB", (80, 120) if orientation else (120, 80), (90, 90, 90))
    exif = Image.Exif()
    if orientation:
        exif[0x0112] = orientation
    image.save(path, exif=exif)
    return path


def good(_method: str, _path: str, _body: bytes) -> tuple[int, Any]:
    return 200, RESULT


def picky(_method: str, _path: str, body: bytes) -> tuple[int, Any]:
    return (200, RESULT) if body.startswith(b"\xff\xd8") else (415, PROBLEM)


def test_the_table_holds_what_was_seen(
    sightline: Command, serve: Callable[..., Any], tmp_path: Path
) -> None:
    path = picture(tmp_path / "a.jpg")
    service = serve(good)
    ended = sightline("detect", str(path), "--url", service.url)
    assert ended.code == exits.OK
    assert service.asked == [("POST", "/v1/detect")]
    for text in ("truck", "0.88", "boat", "0.50", "47.376912", "120x80"):
        assert text in ended.out


def test_json_is_one_document_by_image(
    sightline: Command, serve: Callable[..., Any], tmp_path: Path
) -> None:
    paths = [str(picture(tmp_path / name)) for name in ("a.jpg", "b.jpg")]
    ended = sightline("detect", *paths, "--json", "--url", serve(good).url)
    told = json.loads(ended.out)
    assert list(told) == paths
    assert [each["class"] for each in told[paths[0]]["detections"]] == ["truck", "boat"]


def test_one_image_that_fails_is_1_and_the_others_are_shown(
    sightline: Command, serve: Callable[..., Any], tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jpg"
    bad.write_text("no picture")
    paths = (str(bad), str(picture(tmp_path / "a.jpg")))
    ended = sightline("detect", *paths, "--json", "--url", serve(picky).url)
    assert ended.code == exits.FAILED
    assert list(json.loads(ended.out)) == [paths[1]]
    assert ended.complaint.startswith(f"sightline: {bad}: 415")
    assert PROBLEM["detail"] in ended.complaint


def test_nobody_there_is_1_and_one_sentence(sightline: Command, tmp_path: Path) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    for number in range(20):
        picture(tmp_path / f"{number}.jpg")
    ended = sightline("detect", str(tmp_path), "--url", url)
    assert ended.code == exits.FAILED
    assert url in ended.complaint
    assert "Traceback" not in ended.err


def frame_of(image: Image.Image, box: tuple[float, float, float, float]) -> list[Any]:
    """Pixels on the middle of each of the box's four sides."""
    x1, y1, x2, y2 = (round(value) for value in box)
    middle = ((x1 + x2) // 2, (y1 + y2) // 2)
    return [
        image.getpixel(at)
        for at in ((x1, middle[1]), (x2, middle[1]), (middle[0], y2), (x2 - 1, y2 - 1))
    ]


@pytest.mark.parametrize("target", ["out", "out/marked.png", "marked.jpg"])
def test_the_saved_picture_has_the_boxes_and_nothing_else(
    sightline: Command, serve: Callable[..., Any], tmp_path: Path, target: str
) -> None:
    path = picture(tmp_path / "a.jpg")
    (tmp_path / "out").mkdir()
    ended = sightline(
        "detect", str(path), "--save", str(tmp_path / target), "--url", serve(good).url
    )
    assert ended.code == exits.OK
    (saved,) = [each for each in tmp_path.rglob("*.*") if each != path]
    with Image.open(saved) as marked, Image.open(path) as plain:
        marked.load()
        assert marked.size == plain.size
        if saved.suffix == ".png":
            assert all(colour != (90, 90, 90) for colour in frame_of(marked, BOX))
            assert marked.getpixel((40, 40)) == plain.convert("RGB").getpixel((40, 40))
        changed = ImageChops.difference(marked.convert("RGB"), plain.convert("RGB"))
        assert changed.point(lambda value: 255 * (value > 40)).getbbox() is not None


def test_a_turned_picture_is_marked_as_the_service_sees_it(
    sightline: Command, serve: Callable[..., Any], tmp_path: Path
) -> None:
    path = picture(tmp_path / "a.jpg", orientation=6)
    saved = tmp_path / "marked.png"
    sightline("detect", str(path), "--save", str(saved), "--url", serve(good).url)
    with Image.open(saved) as marked:
        assert marked.size == (RESULT["image"]["width"], RESULT["image"]["height"])
        assert all(colour != (90, 90, 90) for colour in frame_of(marked, BOX))


def test_several_pictures_of_one_name_are_all_saved(
    sightline: Command, serve: Callable[..., Any], tmp_path: Path
) -> None:
    paths = []
    for folder in ("north", "south"):
        (tmp_path / folder).mkdir()
        paths.append(str(picture(tmp_path / folder / "a.jpg")))
    out = tmp_path / "out"
    assert sightline("detect", *paths, "--save", str(out), "--url", serve(good).url).code == 0
    assert len(list(out.iterdir())) == len(paths)


def test_a_kind_of_file_that_no_picture_has_is_one_sentence(
    sightline: Command, serve: Callable[..., Any], tmp_path: Path
) -> None:
    path = picture(tmp_path / "a.jpg")
    save = tmp_path / "marked.xyz"
    ended = sightline("detect", str(path), "--save", str(save), "--url", serve(good).url)
    assert ended.code in (exits.FAILED, exits.USAGE)
    assert "Traceback" not in ended.err
    assert "marked.xyz" in ended.err


FRAME = {"frame_id": "f-7", "camera_id": "drone-1", "captured_at": "2026-11-25T10:00:00Z"}


@pytest.mark.parametrize("beside", [FRAME, {"frame": FRAME, "truth": []}])
def test_the_frame_beside_an_image_is_sent_along(
    sightline: Command, serve: Callable[..., Any], tmp_path: Path, beside: dict[str, Any]
) -> None:
    bodies = []

    def keep(_method: str, _path: str, body: bytes) -> tuple[int, Any]:
        bodies.append(body)
        return 200, RESULT

    path = picture(tmp_path / "a.jpg")
    path.with_suffix(".json").write_text(json.dumps(beside))
    ended = sightline("detect", str(path), "--frames", "--url", serve(keep).url)
    assert ended.code == exits.OK
    (body,) = bodies
    assert b'name="frame"' in body
    assert b'"frame_id":"f-7"' in body
    assert path.read_bytes() in body


@pytest.mark.parametrize("beside", [None, "{", '{"frame_id": "f-7"}'])
def test_a_frame_that_is_missing_or_wrong_is_2_and_named(
    sightline: Command, serve: Callable[..., Any], tmp_path: Path, beside: str | None
) -> None:
    path = picture(tmp_path / "a.jpg")
    if beside is not None:
        path.with_suffix(".json").write_text(beside)
    service = serve(good)
    ended = sightline("detect", str(path), "--frames", "--url", service.url)
    assert ended.code == exits.USAGE
    assert str(path.with_suffix(".json")) in ended.complaint
    assert service.asked == []
