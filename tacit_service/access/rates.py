"""Rates of requests, per token and per user: a bucket of a second's requests that refills steadily.

The generic cell rate algorithm keeps a number per bucket: the time of the full bucket. `limits`, measured,
starts a thread or a task per request for its memory store.
"""

from collections import OrderedDict
from collections.abc import Callable
from math import ceil
from time import monotonic

from tacit_service.http.problems import ProblemError

_MAX_BUCKETS = 100_000
_LEAST_BURST = 1.0


class Rates:
    """Buckets of one kind.

    Args:
        per_s: requests per second, and the requests that may come at once.
        name: owner of a bucket, and name of the policy in headers.
        what: name of what is counted, in texts.
        clock_s: time in seconds.
    """

    def __init__(
        self, per_s: float, name: str, what: str = "requests", clock_s: Callable[[], float] = monotonic
    ) -> None:
        self._per_s = per_s
        self.name = name
        self._what = what
        self._burst_s = max(_LEAST_BURST, per_s) / per_s
        self._clock_s = clock_s
        self._full_at_s: OrderedDict[object, float] = OrderedDict()
        self.refused = 0
        """Requests that were refused."""

    def take(self, key: object, cost: int = 1) -> None:
        """Count requests. A cost above a full bucket counts as the full bucket.

        Raises:
            ProblemError: the rate is exceeded.
        """
        now_s = self._clock_s()
        full_at_s = max(self._full_at_s.get(key, 0.0), now_s) + min(cost / self._per_s, self._burst_s)
        wait_s = full_at_s - now_s - self._burst_s
        if wait_s > 1e-9:
            self.refused += 1
            raise self._exceeded(wait_s)
        self._full_at_s[key] = full_at_s
        self._full_at_s.move_to_end(key)
        if len(self._full_at_s) > _MAX_BUCKETS:
            self._full_at_s.popitem(last=False)

    def _exceeded(self, wait_s: float) -> ProblemError:
        seconds = max(1, ceil(wait_s))
        headers = {
            "Retry-After": str(seconds),
            "RateLimit-Policy": f'"{self.name}";q={max(1, round(self._per_s))};w=1',
            "RateLimit": f'"{self.name}";r=0;t={seconds}',
        }
        detail = f"At most {self._per_s:g} {self._what} per second are allowed per {self.name}; wait, then send again."
        return ProblemError("too-many-requests", detail, headers=headers)
