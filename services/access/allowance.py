"""How often somebody may: a token bucket for each client, in bounded space. Time is handed in."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass


@dataclass(slots=True)
class _Bucket:
    left: float
    at: float


class Allowance:
    """`rate` a second on average, `burst` at once, for each of at most `most_clients`."""

    def __init__(self, *, rate: float, burst: float, most_clients: int = 10_000) -> None:
        if rate <= 0 or burst < 1:
            raise ValueError("a rate above 0 and a burst of at least 1 are needed")
        self.rate = rate
        self._burst = burst
        self._most_clients = most_clients
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, client: str, *, now: float, cost: float = 1.0) -> float:
        """0 when it may; else the seconds after which it might. `now` is any rising clock."""
        bucket = self._filled(client, now)
        if bucket.left >= cost:
            bucket.left -= cost
            return 0.0
        return (cost - bucket.left) / self.rate

    def _filled(self, client: str, now: float) -> _Bucket:
        bucket = self._buckets.get(client)
        if bucket is None:
            bucket = self._buckets[client] = _Bucket(left=self._burst, at=now)
            if len(self._buckets) > self._most_clients:
                # Whoever was silent longest has the fullest bucket: forgetting it changes least.
                self._buckets.popitem(last=False)
        self._buckets.move_to_end(client)
        bucket.left = min(self._burst, bucket.left + max(0.0, now - bucket.at) * self.rate)
        bucket.at = max(now, bucket.at)
        return bucket
