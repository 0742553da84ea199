"""Triton's own client against the Open Inference Protocol of a real detection service."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.http as triton
from numpy.typing import NDArray

from access import new_key
from conforming import Description
from detecting import Detection
from fakes.models import blob_model
from inferring import refused, tensor
from running import http, started

MAX_BYTES = 4_000_000
COMMITTED = Path(__file__).parents[2] / "docs/reference/openapi/detection.json"
DESCRIPTION = Description(json.loads(COMMITTED.read_text(encoding="utf-8")))


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder: Path = tmp_path_factory.mktemp("models")
    version = {"version": "1"}
    blob_model(folder / "blobs.onnx", metadata=version)
    blob_model(folder / "halves.onnx", dtype="float16", metadata=version)
    return folder


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, models: Path) -> Iterator[str]:
    """Host and port of the detection service: all that the tests know of it."""
    process = Detection(
        tmp_path_factory.mktemp("detection"),
        models,
        max_batch_bytes=MAX_BYTES,
        max_image_bytes=MAX_BYTES,
    )
    with started(process):
        yield f"127.0.0.1:{process.port}"


@pytest.fixture
def client(service: str) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(service, concurrency=4) as opened:
        yield opened


def picture(dtype: str = "float32") -> NDArray[Any]:
    """Grey, and a red rectangle from 8, 16 to 24, 48."""
    pixels = np.full((1, 3, 64, 64), 0.35, dtype=dtype)
    pixels[0, :, 16:48, 8:24] = np.array([1, 0, 0], dtype=dtype)[:, None, None]
    return pixels


def test_the_server_is_live_and_ready_and_says_what_it_can(
    client: triton.InferenceServerClient,
) -> None:
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.get_server_metadata() == {
        "name": "detection",
        "version": "9.8.7",
        "extensions": ["binary_tensor_data"],
    }


def test_models_are_listed_and_ready_in_their_version(client: triton.InferenceServerClient) -> None:
    listed = client.get_model_repository_index()
    assert [each["name"] for each in listed] == ["blobs", "halves"]
    assert client.is_model_ready("blobs")
    assert client.is_model_ready("blobs", "1")
    assert not client.is_model_ready("blobs", "2")
    assert not client.is_model_ready("nobody")


def test_metadata_has_every_tensor(
    client: triton.InferenceServerClient,
) -> None:
    assert client.get_model_metadata("blobs", "1") == {
        "name": "blobs",
        "versions": ["1"],
        "platform": "onnx_onnxv1",
        "inputs": [{"name": "images", "datatype": "FP32", "shape": [1, 3, 64, 64]}],
        "outputs": [{"name": "output0", "datatype": "FP32", "shape": [1, 7, 3]}],
    }


@pytest.mark.parametrize("binary", [True, False], ids=["bytes", "json"])
@pytest.mark.parametrize("wanted", [True, False], ids=["bytes back", "json back"])
def test_a_picture_goes_in_and_its_box_comes_out(
    client: triton.InferenceServerClient, binary: bool, wanted: bool
) -> None:
    result = client.infer(
        "blobs",
        [tensor("images", "FP32", picture(), binary=binary)],
        outputs=[triton.InferRequestedOutput("output0", binary_data=wanted)],
        request_id="frame-7",
    )
    assert result.get_response()["id"] == "frame-7"
    assert result.get_response()["model_version"] == "1"
    output = result.as_numpy("output0")
    assert output.dtype == np.float32
    np.testing.assert_array_equal(output[0, :, 0], [16, 32, 16, 32, 1, 0, 0])


def test_half_precision_stays_half(client: triton.InferenceServerClient) -> None:
    result = client.infer("halves", [tensor("images", "FP16", picture("float16"))])
    output = result.as_numpy("output0")
    assert output.dtype == np.float16
    np.testing.assert_array_equal(output[0, :5, 0], [16, 32, 16, 32, 1])


def test_many_requests_at_once_each_get_their_own_answer(
    client: triton.InferenceServerClient,
) -> None:
    asked = []
    for number in range(12):
        pixels = np.full((1, 3, 64, 64), 0.35, np.float32)
        pixels[0, :, 8:16, 8 : 16 + number] = np.float32([1, 0, 0])[:, None, None]
        image = tensor("images", "FP32", pixels)
        asked.append(client.async_infer("blobs", [image], request_id=str(number)))
    for number, pending in enumerate(asked):
        result = pending.get_result()
        assert result.get_response()["id"] == str(number)
        assert result.as_numpy("output0")[0, 2, 0] == 8 + number


def test_what_is_wrong_with_a_tensor_is_said_in_words(
    client: triton.InferenceServerClient,
) -> None:
    said = refused(client, "blobs", tensor("images", "FP32", np.zeros((1, 3, 64, 32), np.float32)))
    assert said == "400 inputs[0].shape: 'images' is [1, 3, 64, 32], expected [1, 3, 64, 64]"
    said = refused(client, "blobs", tensor("images", "FP16", picture("float16")))
    assert said == "400 inputs[0].datatype: 'images' is FP16, expected FP32"
    said = refused(client, "blobs", tensor("pixels", "FP32", picture()))
    assert said == ("400 inputs[0].name: 'pixels' is not an input of this model (known: images)")
    said = refused(
        client,
        "blobs",
        tensor("images", "FP32", picture()),
        outputs=[triton.InferRequestedOutput("boxes")],
    )
    assert said == ("400 outputs[0].name: 'boxes' is not an output of this model (known: output0)")


def test_a_model_or_version_that_is_not_there_is_said(client: triton.InferenceServerClient) -> None:
    image = tensor("images", "FP32", picture())
    said = refused(client, "nobody", image)
    assert said == "404 model 'nobody' is not loaded (known: blobs, halves)"
    assert refused(client, "blobs", image, model_version="7") == (
        "404 model 'blobs' has no version '7' (it has 1)"
    )


def test_a_body_that_is_too_large_or_becomes_so_is_refused(service: str) -> None:
    url = f"http://{service}/v2/models/blobs/infer"
    answer = http(url, body=bytes(MAX_BYTES + 1))
    assert (answer.status, list(answer.json)) == (413, ["error"])
    answer = http(
        url, body=gzip.compress(bytes(50 * MAX_BYTES)), headers={"Content-Encoding": "gzip"}
    )
    assert answer.status == 413
    assert answer.json == {
        "error": f"body: unpacks to more than {MAX_BYTES} bytes, which are taken at most"
    }


@pytest.mark.parametrize(
    ("method", "path", "body", "headers", "status"),
    [
        ("GET", "/v2", None, {}, 200),
        ("GET", "/v2/health/live", None, {}, 200),
        ("GET", "/v2/health/ready", None, {}, 200),
        ("POST", "/v2/repository/index", b"{}", {}, 200),
        ("GET", "/v2/models/blobs", None, {}, 200),
        ("GET", "/v2/models/nobody", None, {}, 404),
        ("GET", "/v2/models/blobs/versions/1", None, {}, 200),
        ("GET", "/v2/models/blobs/versions/2", None, {}, 404),
        ("GET", "/v2/models/blobs/ready", None, {}, 200),
        ("GET", "/v2/models/blobs/versions/1/ready", None, {}, 200),
        ("POST", "/v2/models/blobs/infer", b"{}", {}, 400),
        ("POST", "/v2/models/blobs/infer", b"x", {"Content-Encoding": "br"}, 415),
        ("POST", "/v2/models/blobs/versions/1/infer", b"{", {"Content-Encoding": "gzip"}, 400),
    ],
)
def test_answers_are_as_described(
    service: str,
    method: str,
    path: str,
    body: bytes | None,
    headers: dict[str, str],
    status: int,
) -> None:
    answer = http(f"http://{service}{path}", body=body, headers=headers)
    assert answer.status == status
    if status >= 400:
        assert list(answer.json) == ["error"]
    DESCRIPTION.check(method, path, answer)


def test_a_key_that_is_missing_is_said_in_words_that_the_client_shows(
    tmp_path: Path, models: Path
) -> None:
    key, entry = new_key("viewer", ("read",))
    keys = tmp_path / "keys.toml"
    keys.write_text(entry)
    image = tensor("images", "FP32", picture())
    with started(Detection(tmp_path, models, access__keys=keys)) as process:
        address = f"127.0.0.1:{process.port}"
        with triton.InferenceServerClient(address) as opened:
            assert opened.is_server_ready()
            said = refused(opened, "blobs", image)
            assert said == "401 an API key or a token is needed"
            shown = {"Authorization": f"Bearer {key}"}
            assert opened.get_model_metadata("blobs", headers=shown)["name"] == "blobs"
            said = refused(opened, "blobs", image, headers=shown)
            assert said.startswith("403 viewer has not the role detect")


def test_a_client_that_lists_all_it_could_unpack_gets_tensors_as_they_are(
    service: str,
) -> None:
    asked = json.dumps(
        {
            "inputs": [
                {
                    "name": "images",
                    "shape": [1, 3, 64, 64],
                    "datatype": "FP32",
                    "data": [0.35] * (3 * 64 * 64),
                }
            ],
            # Long enough to be worth packing.
            "id": "x" * 1000,
        }
    ).encode()
    url = f"http://{service}/v2/models/blobs/infer"
    for wanted, packed in (("gzip, deflate", None), ("gzip", "gzip"), ("deflate", "deflate")):
        answer = http(url, body=asked, headers={"Accept-Encoding": wanted})
        assert (answer.status, answer.headers.get("content-encoding")) == (200, packed)


def test_a_models_changed_file_is_said_and_not_run(tmp_path: Path) -> None:
    path = blob_model(tmp_path / "blobs.onnx", metadata={"version": "1"})
    with started(Detection(tmp_path, path)) as process:
        blob_model(path, metadata={"version": "2"})
        with triton.InferenceServerClient(f"127.0.0.1:{process.port}") as opened:
            image = tensor("images", "FP32", picture())
            assert refused(opened, "blobs", image).startswith("503 ")
            assert http(f"{process.url}/v1/models/blobs/reload", body=b"").status == 200
            assert opened.infer("blobs", [image]).get_response()["model_version"] == "2"
