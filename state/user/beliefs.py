"""All beliefs about a user, put together."""

from state.learning.decisions import Beliefs
from state.learning.own_beliefs import OwnBeliefs
from state.learning.population_prior import Prior
from state.user.windows import Windows


def believe(own: OwnBeliefs, prior: Prior, windows: Windows | None) -> Beliefs:
    """Return the user's own beliefs with the population's, in general and on the user's main topics."""
    if windows is None or not prior.number:
        return Beliefs(own, prior)
    leaning = prior.leaning(windows.topic_ids, windows.topic_weights)
    return Beliefs(own, prior, leaning, windows.topic_ids)
