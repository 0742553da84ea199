"""Where to look first: whether anybody is hurt, and where."""

from __future__ import annotations

from grafana.dashboards import links
from grafana.dashboards.board import Board
from grafana.dashboards.funnel import FUNNEL, LOSS
from grafana.dashboards.graphs import Chart, Number, States
from grafana.dashboards.listings import Rows
from grafana.dashboards.panel import GREEN, RED, YELLOW, limits
from grafana.dashboards.queries import API, chosen, failing, mean, quantile, rate, total
from grafana.dashboards.variables import RELEASE

_READY = 'sightline_ready{colour=~"$colour",version=~"$version"}'

NOW = (
    Number(
        title="Pages firing",
        width=3,
        description="Alerts that wake somebody. Anything but zero: a user is hurt, or about to be.",
        lines={"pages": 'count(ALERTS{alertstate="firing",severity="page"}) or vector(0)'},
        limits=limits(GREEN, (1, RED)),
    ),
    Number(
        title="Tickets firing",
        width=3,
        description="Alerts for working hours.",
        lines={"tickets": 'count(ALERTS{alertstate="firing",severity="ticket"}) or vector(0)'},
        limits=limits(GREEN, (1, YELLOW)),
    ),
    Number(
        title="Error budget left",
        width=3,
        description="The least of all promises for 30 days; below zero one is broken.",
        unit="percentunit",
        lines={"left": "min(slo:error_budget:remaining30d)"},
        decimals=1,
        limits=limits(RED, (0, YELLOW), (0.25, GREEN)),
        links=links.SLO,
    ),
    Number(
        title="Processes not ready",
        width=3,
        description="Processes whose /ready does not answer 200: they get no traffic.",
        lines={"not ready": f"count({_READY} == 0) or vector(0)"},
        limits=limits(GREEN, (1, RED)),
        links=links.SERVICES,
    ),
    Number(
        title="Sinks without connection",
        width=3,
        description="Sinks that a gateway delivers to and whose connection does not stand.",
        lines={
            "sinks": "count(max by (sink) (sightline_gateway_sink_held) == 1"
            " unless max by (sink) (sightline_gateway_sink_connected) == 1) or vector(0)"
        },
        limits=limits(GREEN, (1, RED)),
        links=links.GATEWAY,
    ),
    Number(
        title="Events lost",
        width=3,
        description="Events that no delivery covers though later ones are delivered: zero, or the"
        " promise is broken.",
        lines={"lost": "sum(sightline_gateway_delivery_missing_events)"},
        limits=limits(GREEN, (1, RED)),
        links=links.SLO,
    ),
    Number(
        title="Oldest undelivered event",
        width=3,
        description="How long the oldest event that a sink has not acknowledged has been"
        " committed.",
        unit="s",
        lines={"age": "max(sightline_gateway_sink_lag_seconds)"},
        limits=limits(GREEN, (30, YELLOW), (60, RED)),
        links=links.GATEWAY,
    ),
    Number(
        title="Age of the last backup",
        width=3,
        description="Since the last backup that succeeded; more than a day and an hour is too old.",
        unit="s",
        lines={"age": "time() - max(sightline_backup_last_success_timestamp_seconds)"},
        limits=limits(GREEN, (90_000, YELLOW), (180_000, RED)),
        links=links.DATABASE,
        absent="No backup has been told of yet.",
    ),
)

SIGNALS = (
    Chart(
        title="Traffic",
        description="Answered requests a second of the calls that clients make, by service.",
        unit="reqps",
        lines={"{{job}}": rate("sightline_http_requests_total", API, by="job")},
        links=links.SERVICES,
        width=6,
    ),
    Chart(
        title="Errors",
        description="The share of those that failed on our side (status 5xx). 0.1 % is the budget's"
        " own pace; overload counts (503).",
        unit="percentunit",
        lines={"{{job}}": failing(API, by="job")},
        limits=limits(GREEN, (0.001, YELLOW), (0.0144, RED)),
        links=links.SERVICES,
        width=6,
    ),
    Chart(
        title="Latency, 99 of 100",
        description="99 of 100 requests are answered within this, by service. Dots are single"
        " requests: follow one to its log lines.",
        unit="s",
        lines={"{{job}}": quantile(0.99, "sightline_http_request_duration_seconds", API, by="job")},
        exemplars=True,
        links=links.SERVICES,
        width=6,
    ),
    Chart(
        title="Saturation",
        description="How full each bounded thing is; at 100 % it refuses work.",
        unit="percentunit",
        lines={
            "detection's queue": f"{total('sightline_detection_queue_depth')}"
            f" / {total('sightline_detection_queue_limit')}",
            "detection's lanes": f"{rate('sightline_detection_lane_busy_seconds_total')}"
            f" / {total('sightline_detection_lanes')}",
            "memory, {{job}}": f"max by (job) ({chosen('process_resident_memory_bytes')}"
            f" / {chosen('sightline_memory_limit_bytes')})",
        },
        limits=limits(GREEN, (0.7, YELLOW), (0.9, RED)),
        links=links.SERVICES,
        top=1,
        width=6,
        absent="Memory: only where the process has a limit.",
        absent_lines=("memory, {{job}}",),
    ),
)

WHERE = (
    Chart(
        title="Delivery lag by sink",
        description="Age of the oldest event that the sink has not acknowledged.",
        unit="s",
        lines={"{{sink}}": total("sightline_gateway_sink_lag_seconds", by="sink", of="max")},
        limits=limits(GREEN, (30, YELLOW), (60, RED)),
        links=links.SINK,
    ),
    Chart(
        title="Accuracy (CE90)",
        description="Half and nine tenths of the placed detections are at least this good;"
        " GREEN to 30 m, YELLOW to 100 m, RED above.",
        unit="lengthm",
        lines={
            "half": quantile(0.5, "sightline_gateway_ce90_meters"),
            "nine tenths": quantile(0.9, "sightline_gateway_ce90_meters"),
        },
        limits=limits(GREEN, (30, YELLOW), (100, RED)),
        links=links.GATEWAY,
    ),
    Chart(
        title="Confidence by model",
        description="Mean score of what each model found. It sinks before a model finds less.",
        unit="percentunit",
        lines={"{{model}}": mean("sightline_detection_confidence", by="model")},
        links=links.MODEL,
        top=1,
    ),
    Rows(
        title="What runs",
        description="Every process with its version and colour.",
        lines={"processes": chosen("sightline_build_info")},
        hidden=("Time", "__name__", "Value", "environment", "grafana"),
        links=links.COLOURS,
        unit="none",
    ),
    Rows(
        title="What fires",
        description="Every alert that fires now; its runbook is in the message, and on the board"
        " named after it.",
        lines={"alerts": 'ALERTS{alertstate="firing"}'},
        hidden=("Time", "__name__", "Value", "alertstate"),
        unit="none",
        absent="Nothing fires.",
    ),
)

WATCHERS = (
    States(
        title="Watched",
        description="What Prometheus could reach when. Where it cannot look, nothing is known.",
        lines={"{{job}} {{instance}}": "up"},
        unit="bool_on_off",
        limits=limits(RED, (1, GREEN)),
        width=8,
    ),
    Chart(
        title="Messages to people",
        description="What Alertmanager sent a minute, by way, and what did not get through.",
        unit="cpm",
        lines={
            "sent, {{integration}}": "60 * sum by (integration)"
            " (rate(alertmanager_notifications_total[$__rate_interval]) > 0)",
            "failed, {{integration}}": "60 * sum by (integration)"
            " (rate(alertmanager_notifications_failed_total[$__rate_interval]))",
        },
        limits=limits(GREEN, (0.001, RED)),
        absent="Nobody was told anything.",
        absent_lines=("sent, {{integration}}",),
    ),
    Chart(
        title="Log lines on their way",
        description="How full the collector's queues on the disk are. They fill while Loki is away;"
        " nothing is lost before they are full.",
        unit="percentunit",
        lines={
            "{{exporter}}": "max by (exporter)"
            " (otelcol_exporter_queue_size / otelcol_exporter_queue_capacity)"
        },
        limits=limits(GREEN, (0.5, YELLOW), (0.9, RED)),
        links=links.LOGS,
        top=1,
    ),
)

BOARD = Board(
    uid="sightline-fleet",
    title="Fleet",
    description="Is anybody hurt, and where do I look? Everything else is one link from here.",
    variables=RELEASE,
    links=links.SLO | links.LOGS,
    rows={
        "Now": NOW,
        "Golden signals": SIGNALS,
        "From frames to acknowledged events": (FUNNEL, *LOSS),
        "Where it hurts": WHERE,
        "Who watches": WATCHERS,
    },
)
