"""Blue and green side by side: whether to switch, and whether a switch did harm."""

from __future__ import annotations

from grafana.dashboards import links
from grafana.dashboards.board import Board
from grafana.dashboards.graphs import Chart, States
from grafana.dashboards.listings import Rows
from grafana.dashboards.panel import GREEN, RED, YELLOW, limits
from grafana.dashboards.queries import API, chosen, failing, mean, quantile, rate, total
from grafana.dashboards.variables import RELEASE, SERVICE

_CALLS = ('job=~"$service"', API)
_CLUSTER = "Only where Argo CD runs the releases."


BOARD = Board(
    uid="sightline-colours",
    title="Blue and green",
    description="Is the idle colour good enough to switch to, and did the last switch do harm?",
    variables=(SERVICE, *RELEASE),
    links=links.FLEET,
    period="now-1h",
    rows={
        "Side by side": (
            Chart(
                title="Traffic by colour",
                description="Requests a second by service and colour: who has the traffic, has"
                " it all.",
                unit="reqps",
                lines={
                    "{{job}} {{colour}}": rate(
                        "sightline_http_requests_total", *_CALLS, by="job,colour"
                    )
                },
                stacked=True,
            ),
            Chart(
                title="Errors by colour",
                description="The share of requests that failed on our side (5xx).",
                unit="percentunit",
                lines={"{{job}} {{colour}}": failing(*_CALLS, by="job,colour")},
                limits=limits(GREEN, (0.001, YELLOW), (0.0144, RED)),
            ),
            Chart(
                title="Latency by colour, 99 of 100",
                description="99 of 100 requests are answered within this; dots are single"
                " requests.",
                unit="s",
                lines={
                    "{{job}} {{colour}}": quantile(
                        0.99,
                        "sightline_http_request_duration_seconds",
                        *_CALLS,
                        by="job,colour",
                    )
                },
                exemplars=True,
            ),
            Chart(
                title="Confidence by colour",
                description="Mean score: a new model shows here first.",
                unit="percentunit",
                lines={"{{colour}}": mean("sightline_detection_confidence", by="colour")},
                top=1,
            ),
            Chart(
                title="CE90 by colour",
                description="Nine tenths of the placed detections are at least this good.",
                unit="lengthm",
                lines={"{{colour}}": quantile(0.9, "sightline_gateway_ce90_meters", by="colour")},
                limits=limits(GREEN, (30, YELLOW), (100, RED)),
            ),
            Chart(
                title="Memory by colour",
                description="Resident memory of all processes of a colour.",
                unit="bytes",
                lines={
                    "{{job}} {{colour}}": total(
                        "process_resident_memory_bytes",
                        'job=~"$service"',
                        by="job,colour",
                    )
                },
            ),
        ),
        "Releases": (
            States(
                title="Which colour delivers",
                description="The colour that holds each sink: during a switch it changes hands"
                " once.",
                lines={
                    "{{sink}} {{colour}}": "max by (sink, colour) (sightline_gateway_sink_held)"
                },
                unit="bool_on_off",
                limits=limits("gray", (1, GREEN)),
                width=8,
            ),
            Chart(
                title="Ready by colour",
                description="Processes that answer /ready with 200. The idle colour needs as"
                " many as"
                " the active one before a switch.",
                lines={"{{job}} {{colour}}": "sum by (job, colour) (sightline_ready)"},
            ),
            Chart(
                title="Schema by colour",
                description="The schema's version in the store: both colours must run on it.",
                unit="none",
                lines={"{{colour}}": "max by (colour) (sightline_gateway_schema_version)"},
            ),
            Rows(
                title="What runs",
                description="Every process with its version and colour.",
                lines={"processes": chosen("sightline_build_info")},
                hidden=("Time", "__name__", "Value"),
                unit="none",
            ),
            Rows(
                title="What Argo CD says",
                description="Each application's sync and health: a colour in Git that is not the"
                " live one shows as OutOfSync.",
                lines={"applications": "argocd_app_info"},
                hidden=("Time", "__name__", "Value"),
                unit="none",
                absent=_CLUSTER,
            ),
        ),
    },
)
