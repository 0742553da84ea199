"""The contract as JSON Schema (2020-12), generated from the values themselves."""

from __future__ import annotations

import inspect
from typing import Any

import msgspec

from sightline.messages.detection import DetectionReport
from sightline.messages.frame import Frame
from sightline.messages.inference import DetectResult, ModelList
from sightline.messages.problem import Problem
from sightline.messages.receipt import EventList, Receipt, Retraction
from sightline.messages.sink import DeadLetterList, Retry, SinkList

DOCUMENTS: dict[str, type[msgspec.Struct]] = {
    "frame": Frame,
    "detection-report": DetectionReport,
    "receipt": Receipt,
    "detect-result": DetectResult,
    "model-list": ModelList,
    "event-list": EventList,
    "retraction": Retraction,
    "sink-list": SinkList,
    "dead-letter-list": DeadLetterList,
    "retry": Retry,
    "problem": Problem,
}
"""Every document that travels as a whole, by the name of its schema and of its golden examples."""


def json_schemas() -> dict[str, dict[str, Any]]:
    """Each document's JSON Schema."""
    return {
        name: {
            "$schema": "https://json-schema.org/draft/2020-12/schema",
            "title": name,
            **_cleaned(msgspec.json.schema(kind)),
        }
        for name, kind in DOCUMENTS.items()
    }


def _cleaned(schema: Any) -> Any:
    """Descriptions without their indentation, which Python keeps up to 3.12 and drops from 3.13."""
    if isinstance(schema, dict):
        return {
            name: inspect.cleandoc(value)
            if name == "description" and isinstance(value, str)
            else _cleaned(value)
            for name, value in schema.items()
        }
    return [_cleaned(each) for each in schema] if isinstance(schema, list | tuple) else schema
