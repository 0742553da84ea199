"""The metrics that a query reads."""

import pytest

from promql import metrics_in


@pytest.mark.parametrize(
    ("query", "metrics"),
    [
        ("up", {"up"}),
        ('sum by (job) (rate(a_total{b="c_total"}[5m]))', {"a_total"}),
        ("a / on (x) group_left (y) b offset 1d", {"a", "b"}),
        ("count(a == 0) or vector(0)", {"a"}),
        ('f(0.99, sum by (le,job) (rate(h_bucket{z=~".*"}[$__rate_interval])))', {"h_bucket"}),
        ("job:a:rate5m > 0.5 and on () b unless c", {"job:a:rate5m", "b", "c"}),
        ("time() - max(t_seconds) > -Inf", {"t_seconds"}),
        ("x > bool 1e9", {"x"}),
    ],
)  # fmt: skip
def test_a_query_reads(query: str, metrics: set[str]) -> None:
    assert metrics_in(query) == metrics
