"""Talk to the services from Python: typed answers, and problem documents as exceptions.

with Client("http://127.0.0.1:8000") as detection:
    result = detection.detect(Path("frame.jpg").read_bytes(), frame=frame)

`AsyncClient` has the same calls, to be awaited. Both ask again where the service is busy or cannot
be reached, as long as the call's deadline allows: every call may safely be made twice.
"""

from sightline.client.asynchronous import AsyncClient
from sightline.client.blocking import Client
from sightline.client.call import Tiles
from sightline.client.errors import (
    AnswerError,
    ClientError,
    DeadlineError,
    ProblemError,
    UnreachableError,
)

__all__ = [
    "AnswerError",
    "AsyncClient",
    "Client",
    "ClientError",
    "DeadlineError",
    "ProblemError",
    "Tiles",
    "UnreachableError",
]
