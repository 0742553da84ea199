"""Service levels: what was promised, what is left of it, and how fast it goes."""

from __future__ import annotations

from grafana.dashboards import links
from grafana.dashboards.board import Board
from grafana.dashboards.graphs import Chart, Number, States
from grafana.dashboards.listings import Rows
from grafana.dashboards.panel import GREEN, RED, YELLOW, limits

_LEFT = limits(RED, (0, YELLOW), (0.25, GREEN))
_BURN = limits(GREEN, (1, YELLOW), (6, "orange"), (14.4, RED))
_WHOSE = "{{slo}} {{job}}{{sink}}"


def _bad(slo: str) -> dict[str, str]:
    """What was bad, over the windows that alerts look at."""
    return {
        window: f'max(slo:error:ratio_rate{window}{{slo="{slo}"}})'
        for window in ("5m", "1h", "6h", "1d", "3d")
    }


BOARD = Board(
    uid="sightline-slo",
    title="Service levels",
    description="What did we promise, how much of the budget is left, and how fast does it burn?",
    links=links.FLEET,
    period="now-24h",
    rows={
        "What is left": (
            Number(
                title="Error budget left",
                description="Of 30 days, the worst of each promise. Below zero it is broken; one"
                " lost event takes all of zero loss.",
                unit="percentunit",
                lines={"{{slo}}": "min by (slo) (slo:error_budget:remaining30d)"},
                decimals=1,
                limits=_LEFT,
                width=9,
                height=6,
            ),
            Number(
                title="Burns now",
                description="How fast the last hour took the budget: at 1 it lasts 30 days, at 14.4"
                " two days, which pages.",
                unit="none",
                lines={"{{slo}}": "max by (slo) (slo:burn_rate:1h)"},
                decimals=1,
                limits=_BURN,
                width=7,
                height=6,
            ),
            Number(
                title="Promised",
                description="The share that is to be good: answers without a 5xx, frames on the"
                " picture in time, time in which a sink does not lag, events that arrive.",
                unit="percentunit",
                lines={"{{slo}}": "max by (slo) (slo:objective:ratio)"},
                decimals=2,
                width=8,
                height=6,
            ),
        ),
        "How it goes": (
            Chart(
                title="Budget left",
                description="What was left of 30 days' budget, for each service or sink.",
                unit="percentunit",
                lines={_WHOSE: "slo:error_budget:remaining30d"},
                limits=_LEFT,
                bottom=None,
                top=1,
                links=links.SINK,
                width=12,
            ),
            Chart(
                title="Burn rate",
                description="How many times faster than it may the last hour took the budget: 6"
                " over hours or 14.4 over one pages, 1 over days is a ticket.",
                unit="none",
                lines={_WHOSE: "slo:burn_rate:1h"},
                limits=_BURN,
                links=links.SINK,
                width=12,
            ),
        ),
        "What was bad": (
            Chart(
                title="Availability",
                description="The share of answers that were ours to blame (5xx). Alerts need a long"
                " and a short window beyond the line.",
                unit="percentunit",
                lines=_bad("availability"),
                limits=limits(GREEN, (0.001, YELLOW), (0.0144, RED)),
                links=links.SERVICES,
            ),
            Chart(
                title="Frame to picture",
                description="The share of frames that were acknowledged later than 2.5 s after"
                " their capture, at the sink that is worst.",
                unit="percentunit",
                lines=_bad("frame-to-cot"),
                limits=limits(GREEN, (0.01, YELLOW), (0.144, RED)),
                links=links.GATEWAY,
            ),
            Chart(
                title="Freshness",
                description="The share of the time in which the worst sink lagged by more than a"
                " minute.",
                unit="percentunit",
                lines=_bad("freshness"),
                limits=limits(GREEN, (0.005, YELLOW), (0.072, RED)),
                links=links.GATEWAY,
            ),
            States(
                title="Fresh",
                description="When each sink lagged by less than a minute.",
                lines={"{{sink}}": "sink:sightline_fresh:bool"},
                unit="bool_on_off",
                limits=limits(RED, (1, GREEN)),
                links=links.SINK,
                width=8,
            ),
            Chart(
                title="Lost events",
                description="Events that no delivery covers though later ones are delivered. It is"
                " zero, or the promise is broken.",
                lines={"{{sink}}": "sink:sightline_lost:events"},
                limits=limits(GREEN, (1, RED)),
                links=links.SINK,
            ),
            Rows(
                title="What fires",
                description="Alerts of this group; the slow ones are tickets, the fast ones pages.",
                lines={"alerts": 'ALERTS{alertstate="firing",group="service-level"}'},
                hidden=("Time", "__name__", "Value", "alertstate", "group"),
                unit="none",
                absent="Nothing fires.",
                width=8,
            ),
        ),
    },
)
