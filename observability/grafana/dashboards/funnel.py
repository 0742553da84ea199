"""A frame's way as a funnel, and what is lost on it as numbers of their own."""

from __future__ import annotations

from grafana.dashboards import links
from grafana.dashboards.graphs import Bars, Number
from grafana.dashboards.panel import GREEN, RED, YELLOW, limits
from grafana.dashboards.queries import count, none_is_zero, total

_SENT = count("sightline_gateway_events_sent_total", by="sink")
_REPEATED = count("sightline_gateway_events_repeated_total", by="sink")

FUNNEL = Bars(
    title="The funnel",
    description="Over the time shown. A frame has several detections, a committed event may be of a"
    " camera itself; delivered and acknowledged are those of the sink that has most.",
    lines={
        "1 frames answered": count("sightline_detection_images_total", 'outcome="answered"'),
        "2 detections found": count("sightline_detection_detections_total"),
        "3 placed on the ground": count("sightline_gateway_detections_placed_total"),
        "4 events committed": count("sightline_gateway_events_committed_total"),
        "5 delivered": f"max({_SENT} - {_REPEATED})",
        "6 acknowledged": f"max({count('sightline_gateway_events_acknowledged_total', by='sink')})",
    },
    decimals=0,
    links=links.SERVICES,
    width=12,
    height=9,
)

LOSS = (
    Number(
        title="Frames refused",
        description="Over the time shown: images that detection did not answer, and reports that"
        " the"
        " gateway did not take in. Their senders know, and send again.",
        lines={
            "images": none_is_zero(
                count("sightline_detection_images_total", 'outcome!="answered"')
            ),
            "reports": none_is_zero(count("sightline_gateway_reports_rejected_total")),
        },
        decimals=0,
        limits=limits(GREEN, (1, YELLOW)),
        height=3,
        width=6,
    ),
    Number(
        title="Not placed",
        description="Over the time shown: detections without a place on the ground (above the"
        " horizon, too grazing, no pose). They are kept and counted, and not on the map.",
        lines={
            "unplaced": none_is_zero(count("sightline_gateway_detections_unplaced_total")),
        },
        decimals=0,
        limits=limits(GREEN, (1, YELLOW)),
        height=3,
        width=6,
    ),
    Number(
        title="Left out by filters",
        description="Over the time shown: events that a sink's own filter leaves out, as meant.",
        lines={"filtered": none_is_zero(count("sightline_gateway_events_filtered_total"))},
        decimals=0,
        height=3,
        width=6,
    ),
    Number(
        title="Waiting",
        description="Now: events committed and not yet acknowledged, of all sinks together.",
        lines={"events": total("sightline_gateway_sink_lag_events")},
        decimals=0,
        limits=limits(GREEN, (1_000, YELLOW), (10_000, RED)),
        links=links.GATEWAY,
        height=3,
        width=6,
    ),
    Number(
        title="Dead letters",
        description="Now: events that a sink was never given, for a reason that is listed"
        " (GET /v1/sinks/{sink}/dead-letters). This is loss, until somebody retries them.",
        lines={"events": none_is_zero("sum(sightline_gateway_dead_letters)")},
        decimals=0,
        limits=limits(GREEN, (1, RED)),
        links=links.GATEWAY,
        height=3,
        width=6,
    ),
    Number(
        title="Lost",
        description="Now: events that no delivery covers though later ones are delivered. It is"
        " zero, or the promise is broken: keep the database and call for help.",
        lines={"events": "sum(sightline_gateway_delivery_missing_events)"},
        decimals=0,
        limits=limits(GREEN, (1, RED)),
        links=links.GATEWAY,
        height=3,
        width=6,
    ),
)
