"""The page."""

from __future__ import annotations

from serving.openapi import Content, Header, Operation, Operations, Reply

OPERATIONS: Operations = {
    ("GET", "/"): Operation(
        name="page",
        tag="page",
        summary="The latest tracks, for people",
        text="It loads nothing from anywhere else. What it shows it asks of this service, with the"
        " key that is typed into it.",
        replies=(
            Reply(
                meaning="The page.",
                contents=(Content(media_type="text/html", schema={"type": "string"}),),
                headers=(
                    Header(name="Content-Security-Policy", meaning="Nothing from elsewhere."),
                    Header(name="X-Content-Type-Options", meaning="`nosniff`."),
                    Header(name="Referrer-Policy", meaning="`no-referrer`."),
                ),
            ),
        ),
    ),
}
