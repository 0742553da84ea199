"""One model: whether it still sees what it saw."""

from __future__ import annotations

from grafana.dashboards import links
from grafana.dashboards.board import Board
from grafana.dashboards.graphs import Chart, Spread
from grafana.dashboards.listings import Rows
from grafana.dashboards.panel import GREEN, RED, YELLOW, limits
from grafana.dashboards.queries import chosen, mean, quantile, rate, share
from grafana.dashboards.variables import COLOUR, MODEL, VERSION

_THIS = 'model=~"$model"'
_CONFIDENCE = "sightline_detection_confidence"
_FOUND = "sightline_detection_detections_total"
_A_DAY = "There is nothing of a day before yet."


def _mix(before: str = "") -> str:
    """Each class' share of what is found."""
    offset = f" offset {before}" if before else ""
    pace = f"rate({chosen(_FOUND, _THIS)}[$__rate_interval]{offset})"
    return f"sum by (class) ({pace}) / ignoring (class) group_left () (sum({pace}) > 0)"


BOARD = Board(
    uid="sightline-model",
    title="Model",
    description="Does this model still see what it saw a day ago, and how fast?",
    variables=(MODEL, COLOUR, VERSION),
    links=links.DETECTION | links.FLEET,
    period="now-24h",
    rows={
        "Drift": (
            Chart(
                title="Confidence, now and a day before",
                description="Mean score of what the model finds, against the same hour of the day"
                " before: a model whose world changes grows less sure before it finds less.",
                unit="percentunit",
                lines={
                    "now": mean(_CONFIDENCE, _THIS),
                    "a day before": mean(_CONFIDENCE, _THIS, before="1d"),
                },
                absent=_A_DAY,
                absent_lines=("a day before",),
                top=1,
            ),
            Chart(
                title="Change in a day",
                description="Mean confidence now less that of a day before. A tenth less is a"
                " different world, or a different model.",
                unit="percentunit",
                lines={
                    "change": f"({mean(_CONFIDENCE, _THIS)})"
                    f" - ({mean(_CONFIDENCE, _THIS, before='1d')})"
                },
                limits=limits(RED, (-0.1, YELLOW), (-0.05, GREEN)),
                absent=_A_DAY,
                bottom=None,
            ),
            Spread(
                title="Confidence's spread",
                description="Detections by their score.",
                unit="percentunit",
                lines={"{{le}}": rate(f"{_CONFIDENCE}_bucket", _THIS, by="le")},
                width=8,
            ),
            Chart(
                title="Class mix",
                description="Each class' share of what is found.",
                unit="percentunit",
                lines={"{{class}}": _mix()},
                stacked=True,
                top=1,
                width=12,
            ),
            Chart(
                title="Class mix a day before",
                description="The same, a day earlier: lay one over the other.",
                unit="percentunit",
                lines={"{{class}}": _mix("1d")},
                stacked=True,
                top=1,
                width=12,
                absent=_A_DAY,
            ),
        ),
        "Work": (
            Chart(
                title="Images by outcome",
                description="Images a second, by what became of them.",
                unit="reqps",
                lines={
                    "{{outcome}}": rate("sightline_detection_images_total", _THIS, by="outcome")
                },
                stacked=True,
            ),
            Chart(
                title="Detections an image",
                description="Objects found in an image, on average. Nothing found is drift, too.",
                unit="none",
                lines={
                    "{{model}}": share(
                        rate(_FOUND, _THIS, by="model"),
                        rate(
                            "sightline_detection_images_total",
                            _THIS,
                            'outcome="answered"',
                            by="model",
                        ),
                    )
                },
            ),
            Chart(
                title="An image's latency",
                description="From an image's last byte to its answer. Dots are single images.",
                unit="s",
                lines={
                    "half": quantile(0.5, "sightline_detection_image_duration_seconds", _THIS),
                    "99 of 100": quantile(
                        0.99, "sightline_detection_image_duration_seconds", _THIS
                    ),
                },
                exemplars=True,
            ),
            Chart(
                title="Clients' own tensors",
                description="Runs by the Open Inference Protocol: 99 of 100 take at most this.",
                unit="s",
                lines={
                    "{{model}}": quantile(
                        0.99, "sightline_detection_tensor_duration_seconds", _THIS, by="model"
                    )
                },
                exemplars=True,
                absent="Nobody sends tensors.",
                width=12,
            ),
            Rows(
                title="What is loaded",
                description="Version, file and provider, by process; two files of one name at once"
                " are a release under way.",
                lines={"models": chosen("sightline_detection_model_info", _THIS)},
                hidden=("Time", "__name__", "Value"),
                unit="none",
            ),
        ),
    },
)
