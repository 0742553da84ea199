"""The store and its backups: whether it answers, how it fills, from when we could restore."""

from __future__ import annotations

from grafana.dashboards import links
from grafana.dashboards.board import Board
from grafana.dashboards.graphs import Chart, Number, Spread, States
from grafana.dashboards.panel import GREEN, RED, YELLOW, limits
from grafana.dashboards.queries import quantile, rate, total
from grafana.dashboards.variables import RELEASE

_NO_BACKUP = "No backup has been told of yet."
_DAY = 86_400

BOARD = Board(
    uid="sightline-database",
    title="Database and backups",
    description="Does the store answer, when is its disk full, and from when could we restore?",
    variables=RELEASE,
    links=links.GATEWAY | links.FLEET,
    rows={
        "Now": (
            Number(
                title="Store answers",
                description="Whether the store answers every gateway.",
                lines={"store": "min(sightline_gateway_store_up)"},
                unit="bool_yes_no",
                limits=limits(RED, (1, GREEN)),
            ),
            Number(
                title="Disk left",
                description="What is left where the store lies.",
                unit="bytes",
                lines={"left": "min(sightline_gateway_disk_free_bytes) >= 0"},
                limits=limits(RED, (1e9, YELLOW), (10e9, GREEN)),
                absent="PostgreSQL does not tell; see the machine it runs on.",
            ),
            Number(
                title="Backup's age",
                description="Since the last backup that succeeded.",
                unit="s",
                lines={"age": "time() - max(sightline_backup_last_success_timestamp_seconds)"},
                limits=limits(GREEN, (90_000, YELLOW), (2 * _DAY, RED)),
                absent=_NO_BACKUP,
            ),
            Number(
                title="Restore last tried",
                description="Since a backup was last restored and verified. A backup that was never"
                " restored is a hope.",
                unit="s",
                lines={"age": "time() - max(sightline_backup_last_verified_timestamp_seconds)"},
                limits=limits(GREEN, (8 * _DAY, YELLOW), (31 * _DAY, RED)),
                absent=_NO_BACKUP,
            ),
            Number(
                title="Backup's size",
                description="Of the last one. An empty dump is the commonest failure of all.",
                unit="bytes",
                lines={"size": "max(sightline_backup_last_size_bytes)"},
                limits=limits(RED, (1_000, GREEN)),
                absent=_NO_BACKUP,
            ),
            Number(
                title="Backup took",
                description="How long the last one took.",
                unit="s",
                lines={"duration": "max(sightline_backup_last_duration_seconds)"},
                limits=limits(GREEN, (1_800, YELLOW)),
                absent=_NO_BACKUP,
            ),
        ),
        "Writing": (
            Chart(
                title="A group commit",
                description="How long one commit takes, the disk's sync included.",
                unit="s",
                lines={
                    "half": quantile(0.5, "sightline_gateway_commit_duration_seconds"),
                    "99 of 100": quantile(0.99, "sightline_gateway_commit_duration_seconds"),
                },
                limits=limits(GREEN, (0.1, YELLOW), (1, RED)),
            ),
            Spread(
                title="Frames in a commit",
                description="Commits by how many frames they hold: larger groups under load.",
                unit="none",
                lines={"{{le}}": rate("sightline_gateway_commit_frames_bucket", by="le")},
                width=8,
            ),
            Chart(
                title="Failures",
                description="Commits and reads a second that the store failed.",
                unit="cps",
                lines={
                    "{{instance}}": rate("sightline_gateway_store_failures_total", by="instance")
                },
                limits=limits(GREEN, (0.01, RED)),
            ),
            States(
                title="When it answered",
                description="Whether the store answered each gateway.",
                lines={
                    "{{instance}}": total("sightline_gateway_store_up", by="instance", of="min")
                },
                unit="bool_on_off",
                limits=limits(RED, (1, GREEN)),
            ),
            Chart(
                title="Frames wait",
                description="Frames that wait for their commit.",
                lines={"frames": total("sightline_gateway_intake_waiting_frames")},
                limits=limits(GREEN, (100, YELLOW), (1_000, RED)),
                width=12,
            ),
        ),
        "Room": (
            Chart(
                title="What the store takes",
                description="The store's size, and its size in a day if it goes on as in the"
                " last hour.",
                unit="bytes",
                lines={
                    "now": total("sightline_gateway_store_bytes", of="max"),
                    "in a day": "max(predict_linear(sightline_gateway_store_bytes[1h], 86400))",
                },
                width=12,
            ),
            Chart(
                title="Disk left",
                description="What is left where the store lies, and in a day if it goes on so.",
                unit="bytes",
                lines={
                    "now": total("sightline_gateway_disk_free_bytes", of="min"),
                    "in a day": "min(predict_linear(sightline_gateway_disk_free_bytes[1h], 86400))",
                },
                limits=limits(RED, (1e9, YELLOW), (10e9, GREEN)),
                bottom=None,
                absent="PostgreSQL does not tell; see the machine it runs on.",
                width=12,
            ),
        ),
    },
)
