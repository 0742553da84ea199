"""A real detection service over real sockets: what it finds, and what it refuses."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from detecting import Detection
from fakes.images import encoded, oriented, painted
from fakes.models import LABELS, blob_model, constant_model
from running import http, started, wait_for
from sightline.messages import DetectResult, ModelList, Problem, decode

BLOBS = {"red": (300, 300, 600, 500), "blue": (1000, 600, 1280, 720)}


@pytest.fixture(scope="module")
def service(tmp_path_factory):
    folder = tmp_path_factory.mktemp("detection")
    models = folder / "models"
    models.mkdir()
    blob_model(models / "blobs.onnx", width=640, height=384, metadata={"version": "3"})
    # Never sure of anything: a second model, to be asked for by name.
    faint = np.zeros((1, 7, 2), dtype=np.float32)
    faint[0, :, 0] = [32, 32, 16, 16, 0.125, 0, 0]
    constant_model(models / "faint.onnx", output=faint)
    with started(Detection(folder, models, max_image_bytes=4_000_000)) as process:
        yield process


def picture(kind="JPEG", **options):
    return encoded(painted(1280, 720, BLOBS), kind, **options)


def boxes(result):
    return {
        each.class_name: (each.box.x1, each.box.y1, each.box.x2, each.box.y2)
        for each in result.detections
    }


def looked_at(answer):
    assert answer.status == 200, answer.body
    assert answer.headers["content-type"] == "application/json"
    return decode(answer.body, DetectResult)


def refused(answer, status, kind, field="image"):
    problem = decode(answer.body, Problem)
    assert (answer.status, problem.status) == (status, status), problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem.type == f"/problems/{kind}"
    assert problem.field == field
    assert problem.instance == answer.headers["x-request-id"]
    return problem


@pytest.mark.parametrize(
    ("kind", "content_type"),
    [
        ("JPEG", "image/jpeg"),
        ("PNG", "image/png"),
        ("WEBP", "image/webp"),
        ("TIFF", "image/tiff"),
        ("JPEG", "application/octet-stream"),
        ("PNG", "image/jpeg"),  # the bytes decide
    ],
)
def test_every_image_type_is_found_in(service, kind, content_type):
    result = looked_at(service.post(picture(kind), content_type=content_type))
    assert (result.image.width, result.image.height) == (1280, 720)
    assert (result.model.name, result.model.version) == ("blobs", "3")
    assert result.committed is False
    assert (result.frame_id, result.camera_id) == (None, None)
    found = boxes(result)
    assert found.keys() == BLOBS.keys()
    for name, box in found.items():
        # Half as large in the model's input: an edge is known to a pixel of that.
        assert box == pytest.approx(BLOBS[name], abs=2.0)
    spent = result.timings_ms
    assert spent.gateway is None
    assert spent.total >= spent.decode + spent.letterbox + spent.inference + spent.postprocess > 0


@pytest.mark.parametrize("orientation", range(1, 9))
def test_boxes_are_of_the_upright_image(service, orientation):
    result = looked_at(service.post(oriented(painted(1280, 720, BLOBS), orientation)))
    assert (result.image.width, result.image.height) == (1280, 720)
    for name, box in boxes(result).items():
        assert box == pytest.approx(BLOBS[name], abs=2.0)


def test_a_form_with_a_frame_but_no_gateway_is_not_committed(service):
    frame = {"frame_id": "f-1", "camera_id": "c-1", "captured_at": "2026-11-24T10:00:00Z"}
    answer = service.post_form({"image": picture(), "frame": json.dumps(frame).encode()})
    result = looked_at(answer)
    assert (result.frame_id, result.camera_id) == ("f-1", "c-1")
    assert result.committed is False
    assert all(each.event is None for each in result.detections)
    assert boxes(result).keys() == BLOBS.keys()


def test_threshold_and_model_are_the_requests_to_choose(service):
    asked = "?model=faint&confidence={}"
    assert looked_at(service.post(picture(), query=asked.format(0.2))).detections == ()
    found = looked_at(service.post(picture(), query=asked.format(0.1)))
    assert found.model.name == "faint"
    assert [(each.class_name, each.confidence) for each in found.detections] == [("red", 0.125)]


def test_timings_are_the_requests_to_leave_out(service):
    assert looked_at(service.post(picture(), query="?timings=true")).timings_ms is not None
    answer = service.post(picture(), query="?timings=false")
    assert looked_at(answer).timings_ms is None
    assert boxes(looked_at(answer)) == boxes(looked_at(service.post(picture())))


def test_models_are_listed_with_what_they_are(service, tmp_path):
    models = decode(http(f"{service.url}/v1/models").body, ModelList).models
    assert [model.name for model in models] == ["blobs", "faint"]
    same = blob_model(tmp_path / "m.onnx", width=640, height=384, metadata={"version": "3"})
    assert models[0].sha256 == hashlib.sha256(same.read_bytes()).hexdigest()
    assert (models[0].input_width, models[0].input_height) == (640, 384)
    assert models[0].labels == LABELS
    assert (models[0].layout, models[1].version) == ("yolov8", "0")


def png_header(width, height):
    """A PNG that states a size and holds nothing: what a decompression bomb looks like."""

    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(b""))


def animated(kind):
    buffer = BytesIO()
    frames = [painted(64, 64, {"red": (8, 8, 20 + i, 20)}) for i in range(3)]
    frames[0].save(buffer, kind, save_all=True, append_images=frames[1:])
    return buffer.getvalue()


def grey16(kind):
    return encoded(Image.fromarray(np.full((64, 64), 40_000, dtype=np.uint16)), kind)


def rgb16_png():
    def chunk(kind, data):
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    head = struct.pack(">IIBBBBB", 8, 8, 16, 2, 0, 0, 0)
    rows = (b"\0" + b"\x12\x34" * 24) * 8
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(rows))
        + chunk(b"IEND", b"")
    )


TYPES = "JPEG, PNG, WebP or TIFF"
COLOURS = "RGB or grey"

BAD = {
    "empty": (b"", 422, "invalid-image", "at least one byte"),
    "half a JPEG": (picture()[:9000], 422, "invalid-image", None),
    "half a PNG": (picture("PNG")[:3000], 422, "invalid-image", None),
    "half a WebP": (picture("WEBP")[:60], 422, "invalid-image", None),
    "half a TIFF": (picture("TIFF")[:9000], 422, "invalid-image", None),
    "a JPEG's first bytes": (b"\xff\xd8\xff\xe0", 422, "invalid-image", None),
    "text": (b"hello, world", 415, "unsupported-image-type", TYPES),
    "a GIF": (encoded(painted(8, 8, {}), "GIF"), 415, "unsupported-image-type", TYPES),
    "over the limit": (b"\xff\xd8\xff" + bytes(4 << 20), 413, "payload-too-large", "4000000 bytes"),
    "100 megapixels": (png_header(10_000, 10_000), 413, "image-too-large", "64 megapixels"),
    "a very long line": (png_header(70_000, 1), 413, "image-too-large", "65536 pixels to a side"),
    "animated PNG": (animated("PNG"), 422, "invalid-image", "one frame"),
    "animated WebP": (animated("WEBP"), 422, "invalid-image", "one frame"),
    "a TIFF of pages": (animated("TIFF"), 422, "invalid-image", "one frame"),
    "16-bit grey PNG": (grey16("PNG"), 422, "invalid-image", "8 bits per channel"),
    "16-bit grey TIFF": (grey16("TIFF"), 422, "invalid-image", "8 bits per channel"),
    "16-bit colour PNG": (rgb16_png(), 422, "invalid-image", "8 bits per channel"),
    "CMYK JPEG": (encoded(Image.new("CMYK", (64, 64)), "JPEG"), 422, "invalid-image", COLOURS),
    "CMYK TIFF": (encoded(Image.new("CMYK", (64, 64)), "TIFF"), 422, "invalid-image", COLOURS),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_images_are_refused_by_name_and_limit(service, name):
    body, status, kind, limit = BAD[name]
    problem = refused(service.post(body), status, kind)
    assert problem.limit == limit
    assert "Traceback" not in problem.detail
    # Raw or in a form, an image is refused alike; the form itself may be what is too long.
    in_form = refused(service.post_form({"image": body}), status, kind)
    assert status == 413 or in_form.detail == problem.detail
    looked_at(service.post(picture()))


def test_wrong_announcements_are_refused(service):
    refused(service.post(picture(), content_type="image/gif"), 415, "unsupported-image-type")
    refused(service.post(picture(), content_type="text/plain"), 415, "unsupported-image-type")


FRAME = {"frame_id": "f", "camera_id": "c", "captured_at": "2026-11-24T10:00:00Z"}


@pytest.mark.parametrize(
    ("frame", "status", "kind", "field"),
    [
        (b"{", 400, "malformed-json", "frame"),
        (b"[]", 422, "invalid-message", "frame"),
        (json.dumps({**FRAME, "captured_at": "yesterday"}).encode(), 422, "invalid-message",
         "frame.captured_at"),
        (json.dumps({**FRAME, "camera": "c"}).encode(), 422, "invalid-message", "frame.camera"),
        (json.dumps({"frame_id": "f"}).encode(), 422, "invalid-message", "frame.camera_id"),
        (b'{"frame_id": NaN}', 400, "malformed-json", "frame"),
    ],
)  # fmt: skip
def test_bad_frames_are_refused_by_field(service, frame, status, kind, field):
    refused(service.post_form({"image": picture(), "frame": frame}), status, kind, field)


def test_bad_forms_are_refused(service):
    frame = json.dumps(FRAME).encode()
    refused(service.post_form({"frame": frame}), 400, "invalid-form")
    refused(service.post_form({"image": picture(), "extra": b""}), 400, "invalid-form", "extra")
    missing = service.post(picture(), content_type="multipart/form-data")
    refused(missing, 400, "invalid-form", "Content-Type")
    foreign = service.post(picture(), content_type="multipart/form-data; boundary=xyz")
    refused(foreign, 400, "invalid-form", "body")
    cut = b'--xyz\r\nContent-Disposition: form-data; name="image"\r\n\r\nabc'
    ended = service.post(cut, content_type="multipart/form-data; boundary=xyz")
    refused(ended, 400, "invalid-form", "body")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("?confidence=1.5", "confidence"),
        ("?confidence=nan", "confidence"),
        ("?confidence=", "confidence"),
        ("?model=other", "model"),
        ("?threshold=0.5", "threshold"),
        ("?tiles=63", "tiles"),
        ("?tiles=8193", "tiles"),
        ("?tiles=many", "tiles"),
        ("?timings=yes", "timings"),
    ],
)
def test_bad_parameters_are_refused(service, query, field):
    refused(service.post(picture(), query=query), 422, "invalid-parameter", field)


def test_other_paths_and_methods_are_problems(service):
    assert decode(http(f"{service.url}/v1/nothing").body, Problem).status == 404
    answer = http(f"{service.url}/v1/detect")
    assert decode(answer.body, Problem).status == 405
    assert answer.headers["allow"] == "POST"


def test_probes_and_metrics(service):
    assert http(f"{service.url}/health").json["status"] == "ok"
    assert http(f"{service.url}/ready").json["ready"] is True
    assert http(f"{service.url}/").json == {"service": "detection", "version": "9.8.7"}
    before = service.metric("sightline_detection_detections_total", model="blobs")
    bad = service.metric("sightline_detection_images_total", outcome="invalid_image")
    looked_at(service.post(picture()))
    refused(service.post(b""), 422, "invalid-image")
    assert service.metric("sightline_detection_detections_total", model="blobs") == before + 2
    assert service.metric("sightline_detection_images_total", outcome="invalid_image") == bad + 1
    assert service.metric("sightline_detection_stage_duration_seconds_count", stage="decode") > 0
    # Every sample is marked, and no path that was tried has become a label.
    text = http(f"{service.url}/metrics").body.decode()
    samples = [line for line in text.splitlines() if not line.startswith("#")]
    assert all('colour="blue"' in line and 'version="9.8.7"' in line for line in samples)
    http(f"{service.url}/v1/some/odd/path")
    assert "odd" not in http(f"{service.url}/metrics").body.decode()


def test_log_lines_are_json_and_name_their_request(service):
    frame = {**FRAME, "frame_id": "logged-frame", "camera_id": "logged-camera"}
    answer = service.post_form(
        {"image": picture(), "frame": json.dumps(frame).encode()},
        x_request_id="my-own-id",
        traceparent="00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
    )
    assert answer.headers["x-request-id"] == "my-own-id"
    # The line comes after the answer.
    (line,) = wait_for(
        lambda: [line for line in service.lines() if line.get("frame_id") == "logged-frame"],
        what="the log line",
    )
    assert line["event"] == "request"
    assert (line["route"], line["status"]) == ("/v1/detect", 200)
    assert line["camera_id"] == "logged-camera"
    assert line["request_id"] == "my-own-id"
    assert line["trace_id"] == "0af7651916cd43dd8448eb211c80319c"
    assert line["span_id"] != "b7ad6b7169203331"
    assert (line["service"], line["version"], line["colour"]) == ("detection", "9.8.7", "blue")
    assert line["time"].endswith("Z")
