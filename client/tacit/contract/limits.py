"""Reasons for a tier below `apply`."""

from typing import Literal

from tacit.contract.signals import Signal

Limit = Literal["uninformative_facet", "default_is_better", "too_little_evidence"]
"""Reason for a tier below `apply`.

- `uninformative_facet`: the population found that the facet does not help to predict feedback; the tier is `default`.
- `default_is_better`: the default is the best value so far, not surely; a lean toward the value changes no answer.
- `too_little_evidence`: another value is the best so far, not surely.
"""

HINT_FROM = 0.6
"""Probability of beating the default from which an assistant may lean toward a value."""
APPLY_FROM = 0.8
"""Probability of beating the runner-up from which an assistant may apply a value."""


def limited_by(signal: Signal) -> tuple[Limit, ...]:
    """Return the limits of a signal's tier, derived from the members; empty exactly for the tier `apply`.

    The worker knows more than a signal carries, and `tacit state show` prints all limits. The function returns
    the certain limits; further limits may hold as well. A confidence that was rounded to 0.8 is taken for 0.8.
    """
    if signal.tier == "apply" or signal.confidence is None:
        return ()
    unsure: Limit = "default_is_better" if signal.value == signal.default else "too_little_evidence"
    if signal.tier == "hint":
        return (unsure,)
    if signal.confidence >= APPLY_FROM:
        return ("uninformative_facet",)
    if signal.confidence > HINT_FROM:
        return ("uninformative_facet", unsure)
    return (unsure,)
