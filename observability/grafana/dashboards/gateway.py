"""The gateway: whether what comes in is committed, placed, and on its way."""

from __future__ import annotations

from grafana.dashboards import links
from grafana.dashboards.board import Board
from grafana.dashboards.graphs import Chart, Number, Spread, States
from grafana.dashboards.panel import GREEN, RED, YELLOW, limits
from grafana.dashboards.process import process
from grafana.dashboards.queries import none_is_zero, quantile, rate, share, total
from grafana.dashboards.variables import RELEASE

_JOB = 'job="cop-gateway"'
_PLACED = rate("sightline_gateway_detections_placed_total")
_UNPLACED = none_is_zero(rate("sightline_gateway_detections_unplaced_total"))

BOARD = Board(
    uid="sightline-gateway",
    title="Gateway",
    description="Is what comes in committed and placed, and does it reach every sink?",
    variables=RELEASE,
    links=links.FLEET | links.LOGS,
    rows={
        "Intake": (
            Chart(
                title="Frames committed",
                description="Frames a second that are on the disk: what a 2xx promises.",
                unit="reqps",
                lines={"frames": rate("sightline_gateway_frames_committed_total")},
                width=6,
            ),
            Chart(
                title="Reports refused",
                description="Reports a second that were not taken in, by the problem's type.",
                unit="reqps",
                lines={"{{reason}}": rate("sightline_gateway_reports_rejected_total", by="reason")},
                absent="None was refused.",
                width=6,
            ),
            Chart(
                title="A group commit",
                description="How long one commit takes, the disk's sync included.",
                unit="s",
                lines={
                    "half": quantile(0.5, "sightline_gateway_commit_duration_seconds"),
                    "99 of 100": quantile(0.99, "sightline_gateway_commit_duration_seconds"),
                },
                limits=limits(GREEN, (0.1, YELLOW), (1, RED)),
                links=links.DATABASE,
                width=6,
            ),
            Chart(
                title="Age of frames at intake",
                description="From a frame's capture to its arrival. Clocks that are off show here.",
                unit="s",
                lines={
                    "half": quantile(0.5, "sightline_gateway_frame_age_seconds"),
                    "99 of 100": quantile(0.99, "sightline_gateway_frame_age_seconds"),
                },
                width=6,
            ),
            Number(
                title="Frames wait",
                description="Frames that wait for their commit, now.",
                lines={"frames": total("sightline_gateway_intake_waiting_frames")},
                limits=limits(GREEN, (100, YELLOW), (1_000, RED)),
                width=12,
            ),
            Number(
                title="Frames from the future",
                description="Frames a second whose capture lies more than 2 s ahead of the"
                " gateway's"
                " clock: a camera's clock is off, or ours.",
                unit="reqps",
                lines={"frames": rate("sightline_gateway_frames_ahead_total")},
                limits=limits(GREEN, (0.01, YELLOW)),
                width=12,
            ),
        ),
        "On the ground": (
            Spread(
                title="CE90",
                description="Placed detections by their circular error; GREEN to 30 m, YELLOW to"
                " 100 m, RED above.",
                unit="lengthm",
                lines={"{{le}}": rate("sightline_gateway_ce90_meters_bucket", by="le")},
                limits=limits(GREEN, (30, YELLOW), (100, RED)),
                width=8,
            ),
            Chart(
                title="CE90 by share",
                description="Half, nine tenths and 99 of 100 placed detections are at least this"
                " good.",
                unit="lengthm",
                lines={
                    "half": quantile(0.5, "sightline_gateway_ce90_meters"),
                    "nine tenths": quantile(0.9, "sightline_gateway_ce90_meters"),
                    "99 of 100": quantile(0.99, "sightline_gateway_ce90_meters"),
                },
                limits=limits(GREEN, (30, YELLOW), (100, RED)),
                width=8,
            ),
            Chart(
                title="Green, yellow, red",
                description="Placed detections by their flag, as shares: up to 30 m, up to 100"
                " m, above.",
                unit="percentunit",
                lines={
                    "green": share(
                        rate("sightline_gateway_ce90_meters_bucket", 'le="30.0"'),
                        rate("sightline_gateway_ce90_meters_count"),
                    ),
                    "green or yellow": share(
                        rate("sightline_gateway_ce90_meters_bucket", 'le="100.0"'),
                        rate("sightline_gateway_ce90_meters_count"),
                    ),
                },
                top=1,
                width=8,
            ),
            Chart(
                title="Share without a place",
                description="Of the detections taken in, those without a place on the ground.",
                unit="percentunit",
                lines={"unplaced": f"({_UNPLACED}) / ({_PLACED} + ({_UNPLACED}) > 0)"},
                limits=limits(GREEN, (0.1, YELLOW), (0.5, RED)),
                top=1,
                width=12,
            ),
            Chart(
                title="Without a place, by reason",
                description="Detections a second that could not be placed, by the reason.",
                unit="cps",
                lines={
                    "{{reason}}": rate("sightline_gateway_detections_unplaced_total", by="reason")
                },
                absent="All were placed.",
                width=12,
            ),
        ),
        "Delivery": (
            States(
                title="Connected",
                description="When the connection to each sink stood.",
                lines={"{{sink}}": total("sightline_gateway_sink_connected", by="sink", of="max")},
                unit="bool_on_off",
                limits=limits(RED, (1, GREEN)),
                links=links.SINK,
                width=8,
            ),
            Chart(
                title="Lag by sink",
                description="Age of the oldest event that the sink has not acknowledged.",
                unit="s",
                lines={
                    "{{sink}}": total("sightline_gateway_sink_lag_seconds", by="sink", of="max")
                },
                limits=limits(GREEN, (30, YELLOW), (60, RED)),
                links=links.SINK,
                width=8,
            ),
            Chart(
                title="Acknowledged by sink",
                description="Events a second that each sink has acknowledged.",
                unit="cps",
                lines={"{{sink}}": rate("sightline_gateway_events_acknowledged_total", by="sink")},
                links=links.SINK,
                width=8,
            ),
            Chart(
                title="From frame to picture",
                description="From a frame's capture to its events' acknowledgement, 95 of 100,"
                " by sink.",
                unit="s",
                lines={
                    "{{sink}}": quantile(
                        0.95, "sightline_gateway_frame_to_cot_duration_seconds", by="sink"
                    )
                },
                limits=limits(GREEN, (2.5, YELLOW), (10, RED)),
                links=links.SINK,
                width=8,
            ),
            Chart(
                title="From commit to acknowledgement",
                description="99 of 100 events, by sink.",
                unit="s",
                lines={
                    "{{sink}}": quantile(
                        0.99, "sightline_gateway_delivery_duration_seconds", by="sink"
                    )
                },
                limits=limits(GREEN, (2, YELLOW), (30, RED)),
                links=links.SINK,
                width=8,
            ),
            Chart(
                title="Dead letters by sink",
                description="Events that lie there because a sink cannot take them.",
                lines={"{{sink}}": total("sightline_gateway_dead_letters", by="sink", of="max")},
                limits=limits(GREEN, (1, RED)),
                links=links.SINK,
                width=8,
            ),
        ),
        "Process": process(_JOB),
    },
)
