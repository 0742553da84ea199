"""PromQL as the panels need it: short names for what every board asks alike.

Every metric of our services has `colour` and `version`; `job` and `instance` come from the scraper.
"""

from __future__ import annotations

HERE = 'colour=~"$colour",version=~"$version"'
"""What the person at the board has chosen."""

API = 'route=~"/v1/.*|/v2/.*"'
"""The calls that clients make: no probes, no scrapes, no pages."""

_BROKEN = 'status=~"5.."'
_WINDOW = "[$__rate_interval]"


def chosen(metric: str, *matchers: str, here: str = HERE) -> str:
    """The metric's series that are asked for."""
    return f"{metric}{{{','.join(each for each in (here, *matchers) if each)}}}"


def total(metric: str, *matchers: str, by: str = "", of: str = "sum") -> str:
    """A gauge over all processes, by these labels."""
    return _over(of, by, chosen(metric, *matchers))


def rate(metric: str, *matchers: str, by: str = "") -> str:
    """A counter's pace in events a second."""
    return _over("sum", by, f"rate({chosen(metric, *matchers)}{_WINDOW})")


def count(metric: str, *matchers: str, by: str = "") -> str:
    """How much a counter grew over the time that the board shows."""
    return _over("sum", by, f"increase({chosen(metric, *matchers)}[$__range])")


def quantile(share: float, histogram: str, *matchers: str, by: str = "") -> str:
    """That share of the observations is at most this."""
    labels = f"le,{by}" if by else "le"
    return f"histogram_quantile({share:g}, {rate(f'{histogram}_bucket', *matchers, by=labels)})"


def mean(histogram: str, *matchers: str, by: str = "", before: str = "") -> str:
    """The observations' mean, now or so long `before` (as in PromQL's offset)."""
    offset = f" offset {before}" if before else ""

    def pace(part: str) -> str:
        return _over(
            "sum", by, f"rate({chosen(f'{histogram}_{part}', *matchers)}{_WINDOW}{offset})"
        )

    return f"{pace('sum')} / {pace('count')}"


def share(part: str, whole: str) -> str:
    """A part of the whole; nothing where there is no whole."""
    return f"{part} / ({whole} > 0)"


def failing(*matchers: str, by: str) -> str:
    """The share of requests that failed on our side; nothing failed is 0, no request is nothing."""
    requests = "sightline_http_requests_total"
    whole = rate(requests, *matchers, by=by)
    return share(f"({rate(requests, *matchers, _BROKEN, by=by)} or 0 * {whole})", whole)


def none_is_zero(query: str) -> str:
    """A sum that has no series yet is nothing, and is drawn as such."""
    return f"{query} or vector(0)"


def _over(operator: str, by: str, query: str) -> str:
    return f"{operator} by ({by}) ({query})" if by else f"{operator}({query})"
