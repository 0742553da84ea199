"""A request to infer as a JSON Schema, and examples in both of its forms."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from detection.tensors.datatype import DATATYPES
from detection.tensors.request import MAX_SIDES, MAX_TENSORS

_SHAPE = {
    "type": "array",
    "items": {"type": "integer", "minimum": 0},
    "maxItems": MAX_SIDES,
}
REQUEST: Mapping[str, Any] = {
    "type": "object",
    "required": ["inputs"],
    "properties": {
        "id": {"type": ["string", "null"], "maxLength": 1024, "description": "Given back."},
        "parameters": {
            "type": ["object", "null"],
            "description": "`binary_data_output`: whether outputs come as bytes where nothing else"
            " is said for them. `timeout`: microseconds that the client waits at most.",
        },
        "inputs": {
            "type": "array",
            "maxItems": MAX_TENSORS,
            "items": {
                "type": "object",
                "required": ["name", "shape", "datatype"],
                "properties": {
                    "name": {"type": "string"},
                    "shape": _SHAPE,
                    "datatype": {"enum": list(DATATYPES)},
                    "parameters": {
                        "type": ["object", "null"],
                        "description": "`binary_data_size`: how many of the bytes after the JSON"
                        " are this tensor's; then there is no `data`.",
                    },
                    "data": {
                        "type": "array",
                        "description": "The values in row-major order, flat or nested like the"
                        " shape.",
                    },
                },
            },
        },
        "outputs": {
            "type": ["array", "null"],
            "maxItems": MAX_TENSORS,
            "description": "Which are wanted; all, where none is named.",
            "items": {
                "type": "object",
                "required": ["name"],
                "properties": {
                    "name": {"type": "string"},
                    "parameters": {
                        "type": ["object", "null"],
                        "description": "`binary_data`: whether it comes as bytes.",
                    },
                },
            },
        },
    },
}
BYTES: Mapping[str, Any] = {
    "type": "string",
    "format": "binary",
    "contentMediaType": "application/octet-stream",
}
BINARY_REQUEST = (
    '{"inputs":[{"name":"images","shape":[1,3,2,2],"datatype":"FP32",'
    '"parameters":{"binary_data_size":48}}],"parameters":{"binary_data_output":true}}'
)
BINARY_REPLY = (
    '{"model_name":"yolo11n","model_version":"1","outputs":[{"name":"output0","datatype":"FP32",'
    '"shape":[1,7,3],"parameters":{"binary_data_size":84}}]}'
)

ASKED: Mapping[str, Any] = {
    "Two inputs, one output": {
        "id": "42",
        "inputs": [
            {"name": "a", "shape": [1, 2], "datatype": "INT32", "data": [1, 2]},
            {"name": "b", "shape": [1, 2], "datatype": "INT32", "data": [[10, 20]]},
        ],
        "outputs": [{"name": "sum"}],
    }
}
