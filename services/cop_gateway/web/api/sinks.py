"""How far delivery is, and what an operator can do about it."""

from __future__ import annotations

from cop_gateway.web.api.refusals import INVALID_QUERY, STORE_UNAVAILABLE
from cop_gateway.web.queries import MOST_SEQUENCE
from cop_gateway.web.sinks import MOST_PAGE, PAGE
from serving.openapi import (
    Content,
    Operation,
    Operations,
    Parameter,
    Refusal,
    Reply,
    json_reply,
    whole_number,
)
from serving.openapi.refusals import BODY, MESSAGE, NO_STORE
from sightline.messages import DeadLetterList, Retry, RetryResult, SinkList, SinkState
from sightline.messages import examples as example

_NAME = Parameter(
    name="name", where="path", meaning="The sink's name in the settings.", schema={"type": "string"}
)
_NO_SUCH_SINK = Refusal(
    status=404,
    type="no-such-sink",
    meaning="No sink has this name.",
    detail="no sink is named 'tack' (tak)",
)


def _state(meaning: str) -> Reply:
    return json_reply(
        SinkState, meaning, examples={"After an outage": example.SINK}, headers=(NO_STORE,)
    )


OPERATIONS: Operations = {
    ("GET", "/v1/sinks"): Operation(
        name="listSinks",
        tag="sinks",
        summary="Every sink: its state, how far it lags, its last error",
        replies=(
            json_reply(
                SinkList,
                "The sinks, as configured.",
                examples={"One sink": example.SINK_LIST},
                headers=(NO_STORE,),
            ),
        ),
        refusals=(STORE_UNAVAILABLE,),
    ),
    ("GET", "/v1/sinks/{name}"): Operation(
        name="getSink",
        tag="sinks",
        summary="One sink",
        parameters=(_NAME,),
        replies=(_state("How it is."),),
        refusals=(_NO_SUCH_SINK, STORE_UNAVAILABLE),
    ),
    ("POST", "/v1/sinks/{name}/pause"): Operation(
        name="pauseSink",
        tag="sinks",
        summary="Deliver nothing to it until it is resumed, across restarts as well",
        text="No body is read. Pausing a paused sink changes nothing.",
        parameters=(_NAME,),
        replies=(_state("How it is now."),),
        refusals=(_NO_SUCH_SINK, STORE_UNAVAILABLE),
    ),
    ("POST", "/v1/sinks/{name}/resume"): Operation(
        name="resumeSink",
        tag="sinks",
        summary="Go on where it was paused; nothing was lost meanwhile",
        text="No body is read. Resuming a sink that is not paused changes nothing.",
        parameters=(_NAME,),
        replies=(_state("How it is now."),),
        refusals=(_NO_SUCH_SINK, STORE_UNAVAILABLE),
    ),
    ("GET", "/v1/sinks/{name}/dead-letters"): Operation(
        name="listDeadLetters",
        tag="sinks",
        summary="Events that it could not take, with the reason",
        text="In the order of the outbox; `next` is the `after` of the following page.",
        parameters=(
            _NAME,
            Parameter(
                name="limit",
                meaning="How many at most.",
                schema=whole_number(1, MOST_PAGE, default=PAGE),
            ),
            Parameter(
                name="after",
                meaning="Of higher sequence than this.",
                schema=whole_number(0, MOST_SEQUENCE, default=0),
            ),
        ),
        replies=(
            json_reply(
                DeadLetterList,
                "A page of dead letters.",
                examples={"One of them": example.DEAD_LETTER_LIST},
                headers=(NO_STORE,),
            ),
        ),
        refusals=(INVALID_QUERY, _NO_SUCH_SINK, STORE_UNAVAILABLE),
    ),
    ("POST", "/v1/sinks/{name}/dead-letters/retry"): Operation(
        name="retryDeadLetters",
        tag="sinks",
        summary="Send dead letters again",
        text="Those of `sequences`, or all where the body is empty or says none.",
        parameters=(_NAME,),
        body=(
            Content(
                media_type="application/json",
                schema=Retry,
                examples={
                    "Two of them": example.stated(example.RETRY_SOME),
                    "All": example.stated(example.RETRY_ALL),
                },
            ),
        ),
        body_required=False,
        replies=(
            json_reply(
                RetryResult,
                "How many are tried again.",
                examples={"Two": example.RETRY_RESULT},
                headers=(NO_STORE,),
            ),
        ),
        refusals=(*BODY, *MESSAGE, _NO_SUCH_SINK, STORE_UNAVAILABLE),
    ),
}
