"""The contract as JSON Schema (2020-12), generated from the values themselves."""

from __future__ import annotations

from typing import Any

import msgspec

from sightline.messages.detection import DetectionReport
from sightline.messages.frame import Frame
from sightline.messages.inference import DetectResult, ModelList
from sightline.messages.problem import Problem
from sightline.messages.receipt import EventList, Receipt
from sightline.messages.sink import DeadLetterList, Retry, SinkList

DOCUMENTS: dict[str, type[msgspec.Struct]] = {
    "frame": Frame,
    "detection-report": DetectionReport,
    "receipt": Receipt,
    "detect-result": DetectResult,
    "model-list": ModelList,
    "event-list": EventList,
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
            **msgspec.json.schema(kind),
        }
        for name, kind in DOCUMENTS.items()
    }
