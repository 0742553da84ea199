"""Large images in tiles: by request, by camera, or not at all."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from detecting import Detection, form
from fakes.images import COLOURS, encoded, painted
from fakes.models import blob_model
from running import Answer, started
from sightline.messages import DetectResult, Problem, decode

Corners = tuple[float, float, float, float]
FAR_APART = [(100, 100, 120, 120), (1000, 600, 1020, 620)]


def far_apart(width: int = 1280, height: int = 720) -> bytes:
    """Two small things of a colour, far from each other."""
    picture = painted(width, height, {})
    for box in FAR_APART:
        picture.paste(COLOURS["red"], box)
    return encoded(picture, "PNG")


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Detection]:
    folder = tmp_path_factory.mktemp("detection")
    model = blob_model(folder / "blobs.onnx", width=640, height=384)
    settings = {
        "max_tiles": 40,
        # The model boxes all of one colour together: of the whole image that is one box.
        "tile_whole": "false",
        "cameras": json.dumps([{"id": "wide", "tiles": 320, "tile_whole": False}]),
    }
    with started(Detection(folder, model, **settings)) as process:
        yield process


def found(answer: Answer) -> list[Corners]:
    assert answer.status == 200, answer.body
    result = decode(answer.body, DetectResult)
    return sorted(
        (each.box.x1, each.box.y1, each.box.x2, each.box.y2) for each in result.detections
    )


def is_both(boxes: list[Corners]) -> bool:
    return len(boxes) == 2 and all(
        box == pytest.approx(expected, abs=2.0)
        for box, expected in zip(boxes, FAR_APART, strict=True)
    )


def test_an_image_is_cut_into_tiles_where_its_request_asks_for_it(service: Detection) -> None:
    (together,) = found(service.post(far_apart()))
    assert together == pytest.approx((100, 100, 1020, 620), abs=2.0)
    assert found(service.post(far_apart(), query="?tiles=off")) == [together]
    for tiles in ("320", "640"):
        assert is_both(found(service.post(far_apart(), query=f"?tiles={tiles}")))
    # As large as the image, one tile is the image.
    assert found(service.post(far_apart(), query="?tiles=1280")) == [together]


def test_auto_cuts_what_is_much_larger_than_the_models_input(service: Detection) -> None:
    assert len(found(service.post(far_apart(), query="?tiles=auto"))) == 1
    assert is_both(found(service.post(far_apart(1600, 900), query="?tiles=auto")))


def test_a_cameras_images_are_cut_unless_their_request_says_otherwise(service: Detection) -> None:
    def framed(camera: str, query: str = "") -> Answer:
        frame: dict[str, Any] = {
            "frame_id": "f", "camera_id": camera, "captured_at": "2026-11-24T10:00:00Z",
        }  # fmt: skip
        body, content_type = form({"image": far_apart(), "frame": json.dumps(frame).encode()})
        return service.post(body, content_type=content_type, query=query)

    assert is_both(found(framed("wide")))
    assert len(found(framed("wide", "?tiles=off"))) == 1
    assert len(found(framed("narrow"))) == 1
    assert is_both(found(framed("narrow", "?tiles=640")))


def test_more_tiles_than_allowed_are_refused_by_the_limit(service: Detection) -> None:
    answer = service.post(far_apart(), query="?tiles=128")
    problem = decode(answer.body, Problem)
    assert (answer.status, problem.type) == (422, "/problems/invalid-parameter")
    assert (problem.field, problem.limit) == ("tiles", "40 tiles")
    assert "1280 x 720" in problem.detail
