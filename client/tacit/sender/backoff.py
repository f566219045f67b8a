"""Pauses between attempts of a delivery: exponential, with full jitter.

https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
"""

import random
from collections.abc import Callable

FIRST_S = 0.1
LONGEST_S = 10.0


class Backoff:
    """Growing pauses, until a delivery succeeds.

    >>> backoff = Backoff(lambda longest_s: longest_s)
    >>> backoff.pause_s(), backoff.pause_s(), backoff.pause_s(at_least_s=2.0)
    (0.1, 0.2, 2.4)
    """

    def __init__(self, draw: Callable[[float], float] = lambda longest_s: random.uniform(0.0, longest_s)) -> None:
        self._draw = draw
        self._longest_s = FIRST_S

    def pause_s(self, *, at_least_s: float = 0.0) -> float:
        """Return the next pause in seconds, on top of the pause that the destination asks for."""
        longest_s, self._longest_s = self._longest_s, min(2 * self._longest_s, LONGEST_S)
        return at_least_s + self._draw(longest_s)

    def reset(self) -> None:
        """Begin again with the shortest pause."""
        self._longest_s = FIRST_S
