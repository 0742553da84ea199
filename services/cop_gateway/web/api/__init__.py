"""What the gateway says of its calls, beside which each of them is found in this package.

A new route takes one entry here, by its method and path; a test says so where it is forgotten.
"""

from cop_gateway.web.api import history, intake, page, sinks
from serving.openapi import Api

API = Api(
    title="Sightline CoP gateway",
    text="Takes detections in, places them on the ground, tracks them, and delivers them to TAK"
    " servers. A 2xx answer to a frame means that all of it is on the disk and will be delivered"
    " to every sink at least once, in order.",
    tags={
        "intake": "Frames in; answered once they are committed.",
        "history": "What was committed, and what became of it.",
        "sinks": "How far delivery is, and what an operator can do about it.",
        "page": "For people.",
    },
    operations={
        **intake.OPERATIONS,
        **history.OPERATIONS,
        **sinks.OPERATIONS,
        **page.OPERATIONS,
    },
)

__all__ = ["API"]
