"""The detection service: how fast it is, how full, what fails."""

from __future__ import annotations

from grafana.dashboards import links
from grafana.dashboards.board import Board
from grafana.dashboards.graphs import Chart, Number, Spread
from grafana.dashboards.listings import Rows
from grafana.dashboards.panel import GREEN, RED, YELLOW, limits
from grafana.dashboards.process import process
from grafana.dashboards.queries import chosen, count, mean, none_is_zero, quantile, rate, total
from grafana.dashboards.variables import RELEASE

_JOB = 'job="detection"'
_BUSY = "sightline_detection_lane_busy_seconds_total"

BOARD = Board(
    uid="sightline-detection",
    title="Detection",
    description="Does the detection service keep up, and where does an image spend its time?",
    variables=RELEASE,
    links=links.FLEET | links.LOGS,
    rows={
        "Images": (
            Chart(
                title="Images by outcome",
                description="Images a second, by what became of them.",
                unit="reqps",
                lines={"{{outcome}}": rate("sightline_detection_images_total", by="outcome")},
                stacked=True,
                width=6,
            ),
            Chart(
                title="An image's latency",
                description="From an image's last byte to its answer. Dots are single images.",
                unit="s",
                lines={
                    "half": quantile(0.5, "sightline_detection_image_duration_seconds"),
                    "95 of 100": quantile(0.95, "sightline_detection_image_duration_seconds"),
                    "99 of 100": quantile(0.99, "sightline_detection_image_duration_seconds"),
                },
                exemplars=True,
                width=6,
            ),
            Chart(
                title="Where it goes",
                description="Mean time an image spends in each stage; together they are its"
                " latency.",
                unit="s",
                lines={"{{stage}}": mean("sightline_detection_stage_duration_seconds", by="stage")},
                stacked=True,
                width=6,
            ),
            Spread(
                title="Latency's spread",
                description="Images by how long they took.",
                unit="s",
                lines={
                    "{{le}}": rate("sightline_detection_image_duration_seconds_bucket", by="le")
                },
                exemplars=True,
                width=6,
            ),
        ),
        "Room": (
            Chart(
                title="Queue",
                description="Images that wait for a lane. At the limit, images are refused (503).",
                lines={
                    "waiting": total("sightline_detection_queue_depth"),
                    "limit": total("sightline_detection_queue_limit"),
                },
                limits=limits(GREEN, (12, YELLOW), (24, RED)),
                width=6,
            ),
            Chart(
                title="Lanes",
                description="The share of the time that lanes work. Beyond 90 % images wait.",
                unit="percentunit",
                lines={
                    "{{instance}}": rate(_BUSY, by="instance")
                    + f" / {total('sightline_detection_lanes', by='instance')}"
                },
                limits=limits(GREEN, (0.7, YELLOW), (0.9, RED)),
                top=1,
                width=6,
            ),
            Chart(
                title="Stage latency, 99 of 100",
                description="99 of 100 images spend at most this in a stage; dots are single"
                " images.",
                unit="s",
                lines={
                    "{{stage}}": quantile(
                        0.99, "sightline_detection_stage_duration_seconds", by="stage"
                    )
                },
                exemplars=True,
                width=6,
            ),
            Chart(
                title="At the gateway",
                description="Attempts to commit a frame at the gateway, by outcome.",
                unit="reqps",
                lines={"{{outcome}}": rate("sightline_detection_forwards_total", by="outcome")},
                width=6,
            ),
        ),
        "Models": (
            Chart(
                title="Detections by class",
                description="Objects found a second, by class.",
                unit="cps",
                lines={"{{class}}": rate("sightline_detection_detections_total", by="class")},
                stacked=True,
                links=links.MODEL,
            ),
            Rows(
                title="Models served",
                description="What is loaded, from which file, and how it is run.",
                lines={"models": chosen("sightline_detection_model_info")},
                hidden=("Time", "__name__", "Value"),
                unit="none",
                links={
                    "This model": "/d/sightline-model?var-model=${__data.fields.model}"
                    "&${__url_time_range}&${prometheus:queryparam}"
                },
            ),
            Number(
                title="Loads refused",
                description="Over the time shown: models that were not taken, and stuck lanes.",
                lines={
                    "models refused": count(
                        "sightline_detection_model_loads_total", 'outcome="refused"'
                    ),
                    "lanes replaced": count("sightline_detection_lanes_replaced_total"),
                    "tensor requests failed": none_is_zero(
                        count("sightline_detection_tensor_failures_total")
                    ),
                },
                decimals=0,
                limits=limits(GREEN, (1, RED)),
                height=8,
            ),
        ),
        "Process": process(_JOB),
    },
)
