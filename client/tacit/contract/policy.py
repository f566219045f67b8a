"""Policy of choices: share of exploration, and the propensity of each value of a facet.

Readers draw choices by this policy, and workers emit and evaluate by it.
"""

from collections.abc import Sequence
from math import fsum

from tacit.contract.catalogue import Facet
from tacit.contract.signals import Tier

EXPLORE_PER_DOUBT = 0.2
RUNNER_UP_SHARE = 0.75
"""Part of the exploration that the runner-up gets."""
MIN_PROPENSITY = 0.01
"""Least propensity of a value that is tried: off-policy weights are at most 100."""
MAX_EXPLORE = 0.5
"""Bound of a signal's `explore`: the preferred value is served at least as often as all others."""

_STEP = 2.0**-20
"""Propensities are multiples of this number, so that sums of them are exact."""


def explore_share(confidence: float) -> float:
    """Return the share of conversations that try another value, by the doubt about the preferred one.

    >>> explore_share(0.5), explore_share(1.0)
    (0.1, 0.0)
    """
    return EXPLORE_PER_DOUBT * (1.0 - confidence)


def may_explore(facet: Facet, tier: Tier) -> bool:
    """Return whether the catalogue permits to try other values of a facet.

    >>> may_explore(Facet("Tone", ("formal", "friendly"), explore="hints"), "apply")
    False
    """
    if facet.multiple or facet.careful or facet.explore == "never":
        return False
    return facet.explore == "free" or tier != "apply"


def propensities(value: str, runner_up: str | None, values: Sequence[str], explore: float) -> dict[str, float]:
    """Return the propensity of each value that may be served; the sum is exactly 1.

    The runner-up gets three quarters of `explore`, and the other values the rest in equal parts. A part below
    `MIN_PROPENSITY` goes to the runner-up. Where the runner-up stays below it, nothing is tried.

    Args:
        value: the preferred value.
        runner_up: the second best value; None: all other values have equal parts.
        values: the facet's values.
        explore: share of conversations that try another value, 0–1; at most `MAX_EXPLORE` counts.

    >>> propensities("b", "c", ("a", "b", "c"), 0.0625)
    {'b': 0.9375, 'c': 0.046875, 'a': 0.015625}
    >>> propensities("b", "c", ("a", "b", "c"), 0.03125)
    {'b': 0.96875, 'c': 0.03125}
    """
    explore = _in_steps(min(explore, MAX_EXPLORE))
    others = [other for other in values if other not in (value, runner_up)]
    has_runner_up = runner_up is not None and runner_up != value
    spread = (1.0 - RUNNER_UP_SHARE) * explore if has_runner_up else explore
    part = _in_steps(spread / len(others)) if others else 0.0
    tried = dict.fromkeys(others, part) if part >= MIN_PROPENSITY else {}
    if has_runner_up and runner_up is not None:
        rest = explore - fsum(tried.values())
        tried = {runner_up: rest, **tried} if rest >= MIN_PROPENSITY else {}
    return {value: 1.0 - fsum(tried.values()), **tried}


def _in_steps(share: float) -> float:
    return int(share / _STEP) * _STEP
