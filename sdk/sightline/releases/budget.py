"""Do users meet errors since they are led to the new version? Counts → a verdict."""

from __future__ import annotations

from sightline.colours.colour import Fact
from sightline.environments.environment import Watching


class Served(Fact, frozen=True, kw_only=True):
    """Requests of users that the new colour has answered, since some beginning."""

    requests: int
    failures: int
    """Answered with 500 or more, or not at all."""

    def since(self, before: Served) -> Served:
        """What came since another count."""
        return Served(
            requests=max(0, self.requests - before.requests),
            failures=max(0, self.failures - before.failures),
        )


class Verdict(Fact, frozen=True, kw_only=True):
    """Of the time that was watched."""

    burns: bool
    served: Served
    burn: float
    """How many times faster than the objective allows; 0 where nothing failed."""
    sentence: str


def judge(served: Served, policy: Watching) -> Verdict:
    """The budget burns where errors come `policy.burn` times faster than the objective allows."""
    allowed = 1 - policy.objective
    ratio = served.failures / served.requests if served.requests else 0.0
    burn = round(ratio / allowed, 3)
    burns = served.failures >= policy.least_failures and burn > policy.burn
    told = f"{served.failures} of {served.requests} requests failed"
    if served.failures:
        told += f": {burn:g} times what {policy.objective:.3%} allows (limit {policy.burn:g})"
    return Verdict(burns=burns, served=served, burn=burn, sentence=told)
