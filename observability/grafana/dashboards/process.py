"""What a process takes, alike for both services."""

from __future__ import annotations

from grafana.dashboards.graphs import Chart
from grafana.dashboards.panel import Panel
from grafana.dashboards.queries import chosen, quantile, rate, total


def process(job: str) -> tuple[Panel, ...]:
    """The rows at the end of a service's board."""
    return (
        Chart(
            title="Requests by route",
            description="Answered requests a second, probes and scrapes included.",
            unit="reqps",
            lines={
                "{{route}} {{status}}": rate(
                    "sightline_http_requests_total", job, by="route,status"
                )
            },
            width=6,
        ),
        Chart(
            title="Latency by route, 99 of 100",
            description="99 of 100 requests are answered within this; dots are single requests.",
            unit="s",
            lines={
                "{{route}}": quantile(
                    0.99, "sightline_http_request_duration_seconds", job, by="route"
                )
            },
            exemplars=True,
            width=6,
        ),
        Chart(
            title="Memory",
            description="Resident memory, and the limit at which the kernel ends the process.",
            unit="bytes",
            lines={
                "{{instance}}": total("process_resident_memory_bytes", job, by="instance"),
                "limit": total("sightline_memory_limit_bytes", job, of="min"),
            },
            absent="The limit: only where there is one.",
            absent_lines=("limit",),
            width=6,
        ),
        Chart(
            title="Cores and files",
            description="Cores in use, and the share of the file descriptors that may be open.",
            unit="none",
            lines={
                "cores, {{instance}}": rate("process_cpu_seconds_total", job, by="instance"),
                "files, {{instance}}": f"sum by (instance) ({chosen('process_open_fds', job)})"
                f" / sum by (instance) ({chosen('process_max_fds', job)})",
            },
            width=6,
        ),
        Chart(
            title="Log lines by level",
            description="Lines a second, by level. Errors are worth reading.",
            unit="cps",
            lines={"{{level}}": rate("sightline_log_lines_total", job, by="level")},
            width=12,
        ),
        Chart(
            title="Starts",
            description="How long each process has run. A step down is a restart.",
            unit="s",
            lines={
                "{{instance}} {{colour}}": f"time() - {chosen('process_start_time_seconds', job)}"
            },
            width=6,
        ),
        Chart(
            title="Spans",
            description="Spans for the collector of traces, by what became of them.",
            unit="cps",
            lines={"{{outcome}}": rate("sightline_spans_total", job, by="outcome")},
            absent="Traces are off.",
            width=6,
        ),
    )
