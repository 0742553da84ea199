"""One sink: whether it takes what it is given, and how fast."""

from __future__ import annotations

from grafana.dashboards import links
from grafana.dashboards.board import Board
from grafana.dashboards.graphs import Chart, Number, Spread, States
from grafana.dashboards.panel import GREEN, RED, YELLOW, limits
from grafana.dashboards.queries import count, quantile, rate, total
from grafana.dashboards.variables import COLOUR, SINK, VERSION

_THIS = 'sink=~"$sink"'

BOARD = Board(
    uid="sightline-sink",
    title="Sink",
    description="Does this sink (a TAK server, a mesh) take what it is given, and how fast?",
    variables=(SINK, COLOUR, VERSION),
    links=links.GATEWAY | links.FLEET,
    rows={
        "Now": (
            Number(
                title="Connected",
                description="1 while the connection stands.",
                lines={
                    "{{sink}}": total(
                        "sightline_gateway_sink_connected", _THIS, by="sink", of="max"
                    )
                },
                unit="bool_yes_no",
                limits=limits(RED, (1, GREEN)),
            ),
            Number(
                title="Oldest waits",
                description="Age of the oldest event that is not acknowledged.",
                unit="s",
                lines={
                    "{{sink}}": total(
                        "sightline_gateway_sink_lag_seconds", _THIS, by="sink", of="max"
                    )
                },
                limits=limits(GREEN, (30, YELLOW), (60, RED)),
            ),
            Number(
                title="Events wait",
                description="Events that are not acknowledged.",
                lines={
                    "{{sink}}": total(
                        "sightline_gateway_sink_lag_events", _THIS, by="sink", of="max"
                    )
                },
                limits=limits(GREEN, (1_000, YELLOW), (10_000, RED)),
            ),
            Number(
                title="Dead letters",
                description="Events that lie there because the sink cannot take them.",
                lines={
                    "{{sink}}": total("sightline_gateway_dead_letters", _THIS, by="sink", of="max")
                },
                limits=limits(GREEN, (1, RED)),
            ),
            Number(
                title="Certificate ends in",
                description="How long our certificate for the sink still holds.",
                unit="s",
                lines={
                    "{{sink}}": "min by (sink) ("
                    f"sightline_gateway_sink_certificate_expiry_timestamp_seconds{{{_THIS}}})"
                    " - time() > -Inf"
                },
                limits=limits(RED, (7 * 86_400, YELLOW), (30 * 86_400, GREEN)),
                absent="This sink has no certificate.",
            ),
            Number(
                title="Reconnects",
                description="Connections opened over the time shown; one after each start is"
                " right.",
                lines={
                    "{{sink}}": count("sightline_gateway_sink_connects_total", _THIS, by="sink")
                },
                decimals=0,
                limits=limits(GREEN, (5, YELLOW), (20, RED)),
            ),
        ),
        "Flow": (
            Chart(
                title="Sent and acknowledged",
                description="Events a second. Repeated: sent again after a reconnect, which is"
                " right"
                " and not loss. Filtered, outdated: left out as its own rules say.",
                unit="cps",
                lines={
                    "sent": rate("sightline_gateway_events_sent_total", _THIS),
                    "acknowledged": rate("sightline_gateway_events_acknowledged_total", _THIS),
                    "repeated": rate("sightline_gateway_events_repeated_total", _THIS),
                    "filtered": rate("sightline_gateway_events_filtered_total", _THIS),
                    "outdated": rate("sightline_gateway_events_outdated_total", _THIS),
                    "given up": rate("sightline_gateway_events_buried_total", _THIS),
                },
            ),
            Chart(
                title="Lag in events",
                description="Events that the sink has not acknowledged.",
                lines={
                    "{{sink}}": total(
                        "sightline_gateway_sink_lag_events", _THIS, by="sink", of="max"
                    )
                },
                limits=limits(GREEN, (1_000, YELLOW), (10_000, RED)),
            ),
            Chart(
                title="Lag in time",
                description="Age of the oldest event that the sink has not acknowledged.",
                unit="s",
                lines={
                    "{{sink}}": total(
                        "sightline_gateway_sink_lag_seconds", _THIS, by="sink", of="max"
                    )
                },
                limits=limits(GREEN, (30, YELLOW), (60, RED)),
            ),
        ),
        "How fast": (
            Chart(
                title="From frame to picture",
                description="From a frame's capture to its events' acknowledgement.",
                unit="s",
                lines={
                    "half": quantile(0.5, "sightline_gateway_frame_to_cot_duration_seconds", _THIS),
                    "95 of 100": quantile(
                        0.95, "sightline_gateway_frame_to_cot_duration_seconds", _THIS
                    ),
                },
                limits=limits(GREEN, (2.5, YELLOW), (10, RED)),
            ),
            Spread(
                title="From commit to acknowledgement",
                description="Events by how long they took.",
                unit="s",
                lines={
                    "{{le}}": rate(
                        "sightline_gateway_delivery_duration_seconds_bucket", _THIS, by="le"
                    )
                },
                width=8,
            ),
            Chart(
                title="The sink's own answer",
                description="From sending a batch to its pong: how fast the TAK server itself is.",
                unit="s",
                lines={
                    "half": quantile(
                        0.5, "sightline_gateway_sink_acknowledge_duration_seconds", _THIS
                    ),
                    "99 of 100": quantile(
                        0.99, "sightline_gateway_sink_acknowledge_duration_seconds", _THIS
                    ),
                },
            ),
        ),
        "Who and when": (
            States(
                title="Connected",
                description="When the connection stood.",
                lines={
                    "{{sink}}": total(
                        "sightline_gateway_sink_connected", _THIS, by="sink", of="max"
                    )
                },
                unit="bool_on_off",
                limits=limits(RED, (1, GREEN)),
            ),
            States(
                title="Which process delivers",
                description="One process holds a sink at a time.",
                lines={
                    "{{instance}} {{colour}}": total(
                        "sightline_gateway_sink_held", _THIS, by="instance,colour", of="max"
                    )
                },
                unit="bool_on_off",
                limits=limits("gray", (1, GREEN)),
            ),
        ),
    },
)
