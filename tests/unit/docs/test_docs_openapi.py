"""What the services say of their calls: well-formed, complete, and no more than there is."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator
from starlette.applications import Starlette

import cop_gateway.app
import cop_gateway.settings
import detection.app
import detection.settings
import detection.stock
from conforming import Description
from cop_gateway.outbox.sqlite import SqliteOutbox
from detection.web.problems import ANSWERS
from fakes.models import blob_model
from serving.guard import role_of
from serving.probes import Readiness
from sightline.messages import encode
from sightline.messages import examples as example
from unit.docs.test_docs_reference import REFERENCE, ROOT, write

SERVICES = ("detection", "cop-gateway")
MODULES: dict[str, ModuleType] = {"detection": detection.app, "cop-gateway": cop_gateway.app}
GOLDEN = ROOT / "tests/vectors/messages/good"

__all__ = ["write"]


@pytest.fixture(params=SERVICES)
def name(request: pytest.FixtureRequest) -> str:
    service: str = request.param
    return service


@pytest.fixture
def described(name: str) -> Description:
    return Description(json.loads(encode(MODULES[name].description())))


@pytest.fixture
def app(name: str, tmp_path: Path) -> Iterator[Starlette]:
    if name == "detection":
        model = blob_model(tmp_path / "blobs.onnx", width=64, height=64)
        settings = detection.settings.Settings(models=str(model), lanes=1)
        yield detection.app.build(settings, detection.stock.load(settings)).app
        return
    store = SqliteOutbox(tmp_path / "gateway.db")
    yield cop_gateway.app.build(
        cop_gateway.settings.Settings(database="sqlite:///unused.db", ground_height_m=400),
        store,
        readiness=Readiness(),
    )
    store.close()


def test_it_is_openapi(described: Description) -> None:
    assert described.document["openapi"].startswith("3.1.")
    OpenAPIV31SpecValidator(described.document).validate()
    names = [call.described["operationId"] for call in described.calls()]
    assert len(names) == len(set(names))


def test_the_committed_document_is_the_generated_one(name: str, write: ModuleType) -> None:
    committed = json.loads((REFERENCE / "openapi" / f"{name}.json").read_text(encoding="utf-8"))
    assert committed == json.loads(json.dumps(write.openapi()[name])), (
        "run `make reference` and commit"
    )


def test_every_route_is_described_and_nothing_else(described: Description, app: Starlette) -> None:
    routes = {
        (method, route.path)  # type: ignore[attr-defined]
        for route in app.routes
        for method in route.methods - {"HEAD"}  # type: ignore[attr-defined]
    }
    assert {(call.method, call.path) for call in described.calls()} == routes


def test_the_roles_are_the_guards(name: str, described: Description) -> None:
    for call in described.calls():
        role = role_of(MODULES[name].ACCESS, call.method, call.path)
        wanted = [] if role is None else [{"bearer": [role]}, {"apiKey": [role]}]
        if call.path == "/v1/auth/token":
            wanted = [{"bearer": []}, {"apiKey": []}]
        assert call.described["security"] == wanted
        assert ({"401", "403", "429"} <= call.described["responses"].keys()) == (role is not None)


def test_every_example_is_what_its_schema_says(described: Description) -> None:
    found = list(described.examples())
    assert len(found) > 20
    for where, value in found:
        described.validate(value, *where)


def test_every_call_shows_what_it_takes_and_gives(described: Description) -> None:
    for call in described.calls():
        assert call.described["summary"]
        bodies = [call.described["requestBody"]] if "requestBody" in call.described else []
        bodies += [
            described.at(*call.where, "responses", s)[0] for s in call.described["responses"]
        ]
        for body in bodies:
            for media_type, media in body["content"].items():
                # Neither an image nor a whole page or document reads well within this one.
                if media_type.startswith(("image/", "application/octet", "text/html")):
                    continue
                if call.path != "/v1/openapi.json" or "problem" in media_type:
                    assert media.get("examples"), (call.path, media_type)


def test_every_problem_that_is_raised_is_described_and_no_other(
    name: str, described: Description
) -> None:
    raised = set(_raised(ROOT / "services/serving"))
    raised |= set(_raised(ROOT / "services" / name.replace("-", "_")))
    if name == "detection":
        raised |= {(status, type_) for _, status, type_ in ANSWERS}
    told = set()
    for call in described.calls():
        for status in call.described["responses"]:
            response, _ = described.at(*call.where, "responses", status)
            media = response["content"].get("application/problem+json")
            for type_ in media["schema"]["properties"]["type"]["enum"] if media else ():
                told.add((int(status), type_.removeprefix("/problems/")))
    # The router's own; and what the gateway said, with the status that it said it with.
    told = {each for each in told if each[1] not in ("not-found", "gateway-refused")}
    assert told == raised


def _raised(folder: Path) -> Iterator[tuple[int, str]]:
    """Status and type of every HttpProblem in the sources that states them."""
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "HttpProblem":
                stated = {each.arg: each.value for each in node.keywords}
                status, type_ = stated["status"], stated["type"]
                if isinstance(status, ast.Constant) and isinstance(type_, ast.Constant):
                    yield status.value, type_.value


@pytest.mark.parametrize(
    ("golden", "message"),
    [
        ("frame.drone", example.FRAME),
        ("detection-report.box-and-pixel", example.DETECTION_REPORT),
        ("detection-report.nothing-seen", example.NOTHING_SEEN),
        ("receipt.placed-and-unplaced", example.RECEIPT),
        ("detect-result.committed", example.DETECT_RESULT),
        ("detect-result.image-only", example.IMAGE_ONLY),
        ("detect-result.without-timings", example.WITHOUT_TIMINGS),
        ("batch-result.one-bad-image", example.BATCH_RESULT),
        ("model-list.one", example.MODEL_LIST),
        ("model-info.reloaded", example.MODEL_INFO),
        ("event-list.page", example.EVENT_LIST),
        ("retraction.by-an-operator", example.RETRACTION),
        ("sink-list.one", example.SINK_LIST),
        ("dead-letter-list.page", example.DEAD_LETTER_LIST),
        ("retry.some", example.RETRY_SOME),
        ("retry.all", example.RETRY_ALL),
    ],
)
def test_examples_are_the_golden_ones(golden: str, message: Any) -> None:
    written = json.loads((GOLDEN / f"{golden}.json").read_text(encoding="utf-8"))
    assert written in (json.loads(encode(message)), json.loads(encode(example.stated(message))))
