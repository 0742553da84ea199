"""Tensors of every type and of models with several inputs, asked for with Triton's own client.

Such models are no detectors, and not served by the service: a small server has the same calls.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import tritonclient.http as triton

from fakes.tensors import KINDS, echo_model, sums_model, values_of
from inferring import TensorServer, refused, tensor
from running import started


@pytest.fixture(scope="module")
def no_detectors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The small server's host and port."""
    folder = tmp_path_factory.mktemp("tensors")
    echo_model(folder / "echo.onnx")
    sums_model(folder / "sums.onnx")
    server = TensorServer(folder, folder)
    with started(server):
        yield server.address


@pytest.fixture
def other(no_detectors: str) -> Iterator[triton.InferenceServerClient]:
    with triton.InferenceServerClient(no_detectors, concurrency=4) as opened:
        yield opened


@pytest.mark.parametrize("binary", [True, False], ids=["bytes", "json"])
def test_every_datatype_comes_back_as_it_went(
    other: triton.InferenceServerClient, binary: bool
) -> None:
    sent = {name: values_of(name, index + 1) for index, name in enumerate(KINDS)}
    result = other.infer(
        "echo",
        [tensor(f"{name}_in", name, value, binary=binary) for name, value in sent.items()],
        outputs=[triton.InferRequestedOutput(f"{name}_out", binary_data=binary) for name in sent],
    )
    for name, value in sent.items():
        back = result.as_numpy(f"{name}_out")
        if name == "BYTES":
            texts = [each.decode() if isinstance(each, bytes) else each for each in back]
            assert texts == list(value)
        else:
            assert back.dtype == value.dtype
            np.testing.assert_array_equal(back, value, err_msg=name)


def test_several_inputs_and_only_the_outputs_that_are_wanted(
    other: triton.InferenceServerClient,
) -> None:
    a, b = np.arange(8, dtype=np.float32).reshape(2, 4), np.full((2, 4), 10, np.float32)
    inputs = [tensor("b", "FP32", b), tensor("a", "FP32", a, binary=False)]
    wanted = [
        triton.InferRequestedOutput("difference", binary_data=False),
        triton.InferRequestedOutput("sum"),
    ]
    both = other.infer("sums", inputs, outputs=wanted, model_version="1")
    assert [each["name"] for each in both.get_response()["outputs"]] == ["difference", "sum"]
    np.testing.assert_array_equal(both.as_numpy("sum"), a + b)
    np.testing.assert_array_equal(both.as_numpy("difference"), a - b)
    one = other.infer("sums", inputs, outputs=wanted[:1])
    assert one.as_numpy("sum") is None
    every = other.infer("sums", inputs)
    assert [each["name"] for each in every.get_response()["outputs"]] == ["sum", "difference"]


@pytest.mark.parametrize("back", ["gzip", "deflate", None])
@pytest.mark.parametrize("there", ["gzip", "deflate", None])
def test_bodies_may_be_packed_both_ways(
    other: triton.InferenceServerClient, there: str | None, back: str | None
) -> None:
    a = np.arange(4000, dtype=np.float32).reshape(1000, 4)
    result = other.infer(
        "sums",
        [tensor("a", "FP32", a), tensor("b", "FP32", a)],
        request_compression_algorithm=there,
        response_compression_algorithm=back,
    )
    np.testing.assert_array_equal(result.as_numpy("sum"), a + a)


def test_what_only_the_model_can_find_wrong_is_the_requests_fault_too(
    other: triton.InferenceServerClient,
) -> None:
    two, three = np.zeros((2, 4), np.float32), np.zeros((3, 4), np.float32)
    said = refused(other, "sums", tensor("a", "FP32", two), tensor("b", "FP32", three))
    assert said.startswith("400 inputs: the model cannot run on them")


def test_metadata_has_open_sides_as_minus_one(other: triton.InferenceServerClient) -> None:
    assert other.get_model_metadata("sums")["inputs"][1] == {
        "name": "b",
        "datatype": "FP32",
        "shape": [-1, 4],
    }


def test_an_input_that_is_missing_is_said_with_those_that_there_are(
    other: triton.InferenceServerClient,
) -> None:
    said = refused(other, "sums", tensor("a", "FP32", np.zeros((1, 4), np.float32)))
    assert said == "400 inputs: 'b' is missing (this model takes: a, b)"
