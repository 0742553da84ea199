"""A service's own description of its calls: OpenAPI 3.1, built from values beside the routes.

Messages are described by their types, roles by the guard's table, limits by the constants that the
calls check. Pure, but for `call`, which serves the document.
"""

from serving.openapi.document import document
from serving.openapi.operation import (
    Api,
    Content,
    ErrorBody,
    Header,
    Operation,
    Operations,
    Parameter,
    Refusal,
    Reply,
    json_reply,
    whole_number,
)

__all__ = [
    "Api",
    "Content",
    "ErrorBody",
    "Header",
    "Operation",
    "Operations",
    "Parameter",
    "Refusal",
    "Reply",
    "document",
    "json_reply",
    "whole_number",
]
