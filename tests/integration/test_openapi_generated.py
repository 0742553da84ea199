"""Requests that nobody thought of, made from what each service says of itself (schemathesis).

No answer is a defect, each is described, and what the description forbids is refused. That all that
it allows is taken cannot be asked: a schema cannot say that a box must not be turned round.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import CHECKS, load_all_checks

from detecting import Detection
from fakes.models import blob_model
from fakes.tak_server import TakServer
from running import Gateway, report, started

REFERENCE = Path(__file__).parents[2] / "docs/reference/openapi"
GATEWAY = schemathesis.openapi.from_path(REFERENCE / "cop-gateway.json")
DETECTION = schemathesis.openapi.from_path(REFERENCE / "detection.json")

load_all_checks()
NOT_ASKED = CHECKS.get_by_names(["ignored_auth", "positive_data_acceptance"])
"""Roles have tests of their own."""
NOT_OF_LINES = [*NOT_ASKED, *CHECKS.get_by_names(["negative_data_rejection"])]
"""Any text is lines; a bad one is answered in its place."""

bounded = settings(
    max_examples=10,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)


@schemathesis.serializer(
    "application/x-ndjson", "application/ndjson", "application/jsonl", "image/jpg", "image/tiff"
)
def _as_is(_context: object, value: object) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode("utf-8", "replace")


@pytest.fixture(scope="module")
def gateway(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    server = TakServer()
    with started(Gateway(tmp_path_factory.mktemp("gateway"), sink=server.url)) as process:
        assert process.post(report("f-1")).status == 201
        yield process
    server.close()


@pytest.fixture(scope="module")
def detection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Detection]:
    folder = tmp_path_factory.mktemp("detection")
    model = blob_model(folder / "blobs.onnx", width=64, height=64)
    with started(Detection(folder, model)) as process:
        yield process


# The stream does not end, and has tests of its own.
@GATEWAY.exclude(path="/v1/stream").parametrize()
@bounded
def test_gateway(case: schemathesis.Case, gateway: Gateway) -> None:
    lines = case.operation.path == "/v1/detections/batch"
    case.call_and_validate(
        base_url=gateway.url, excluded_checks=NOT_OF_LINES if lines else NOT_ASKED
    )


@DETECTION.parametrize()
@bounded
def test_detection(case: schemathesis.Case, detection: Detection) -> None:
    case.call_and_validate(base_url=detection.url, excluded_checks=NOT_ASKED)
