"""Votes on confidences: whether values are liked as much more than their runners-up as the model predicts.

An answer with the preferred value votes on the feature of its confidence, and an answer with the runner-up votes with
the opposite sign. So the feature's mean is half of what predictions of the difference lack. Preferred values are
served more often, and vote in so small a share of answers that both sides are equally many: an error in the
predictions of all answers alike cancels out.
"""

from array import array
from typing import NamedTuple

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import NONE
from state.learning.confidence_reliability import confidence_of
from state.learning.example import Example
from state.learning.features import sure_feature
from state.learning.logged_choices import LoggedChoice, is_sampled, propensity_of

_ODD, _OTHER_ODD = 0x9E3779B97F4A7C15, 0xD6E8FEB86659FD93


class ConfidenceVote(NamedTuple):
    """The vote of an answer."""

    feature: str
    is_preferred: bool
    """False: the runner-up was served, which counts with the opposite sign."""


def confidence_vote(e: Example, user: int, catalogue: NumberedCatalogue) -> ConfidenceVote | None:
    """Return the vote of an answer on one facet, in turn by the count of feedback; None for an answer without any.

    `user` is a 64-bit hash. Whether an answer votes does not depend on its feedback. An answer without its preferred
    values (`Logged.acted`) does not vote, as only one side could.
    """
    logged, facets = e.logged, catalogue.slot_facets
    if logged is None or not logged.acted or logged.proposed or not (logged.opens or is_sampled(e.at_ms)):
        return None
    drawn = (user ^ e.at_ms * _ODD) * _OTHER_ODD
    found = []
    for entry in logged.acted:
        slot, propensity, runner_up = entry
        if runner_up == NONE or propensity >= 1.0 or (e.only and facets[slot] not in e.only):
            continue
        if propensity > 0.5:
            drawn = drawn * _ODD % 2**64
            if not _is_drawn(drawn / 2**64, LoggedChoice(*entry), catalogue):
                continue
        elif slot != runner_up:
            continue
        found.append(entry)
    return _vote(LoggedChoice(*found[e.feedback_count % len(found)]), logged.confidences, catalogue) if found else None


def _is_drawn(number: float, choice: LoggedChoice, catalogue: NumberedCatalogue) -> bool:
    """Return whether a preferred value votes; `number`, 0–1, decides.

    Its share of votes is the propensity of the runner-up in parts of its own, so both sides are equally many.
    """
    own = choice.propensity
    return number * own < 1.0 - own and number * own < propensity_of(choice.runner_up, choice, catalogue)


def _vote(choice: LoggedChoice, confidences: bytes, catalogue: NumberedCatalogue) -> ConfidenceVote:
    facet = catalogue.slot_facets[choice.slot]
    near = array("f", confidences)[facet : facet + 1]
    confidence = confidence_of(choice, len(catalogue.facet_slots[facet]), near[0] if near else 0.0)
    return ConfidenceVote(sure_feature(confidence + 1e-4), choice.is_preferred)
