"""A person at rest, put into words again: what Redis would hold of them if nothing had been lost there.

Of each facet of which something was ever said it is what is believed now, so versions are those of the person's last
event, which may be newer than what was said last.
"""

from collections.abc import Collection

from state.learning.population_prior import Prior
from state.user.news import News
from state.user.user_state import UserState
from state.user.windows import PANE_MS, Windows
from state.user.writes import GateWrite, SignalWrite


def gate_of(user: bytes, state: UserState) -> GateWrite | None:
    """Return a person's wipes and consent; None for someone who never said a word on them."""
    if not state.wiped_ms and not state.consent_at_ms:
        return None
    return GateWrite(user, state.wiped_ms, state.consent_at_ms, state.opted_out)


def pins_of(user: bytes, state: UserState, prior: Prior) -> SignalWrite | None:
    """Return what a person has set, and what is believed in place of what they took back; None for nothing."""
    news = News()
    _believe(news, state, state.pins.keys(), prior)
    return _write(user, state, news, prior)


def learned_of(user: bytes, state: UserState, prior: Prior) -> SignalWrite | None:
    """Return what else was said of a person: what was learned, and their profile; None for nothing."""
    news, sent = News(), state.news.sent
    said = {facet for facet, at_ms in enumerate(sent.at_ms) if at_ms} if sent else set()
    _believe(news, state, said - state.pins.keys(), prior)
    if state.news.profile_pane:
        news.profile(state.windows or Windows(), state.newest_ms, state.seq)
    return _write(user, state, news, prior)


def _believe(news: News, state: UserState, facets: Collection[int], prior: Prior) -> None:
    """Say of these facets what is set or, without that, believed; nothing of those that have left the catalogue."""
    catalogue, beliefs = prior.catalogue, state.beliefs(prior)
    explores = state.consents_to(state.newest_ms, catalogue)
    for facet in facets:
        if state.is_pinned(facet, catalogue):
            news.pinned(facet, state.pins[facet].slot, prior, state.newest_ms, state.seq)
        elif catalogue.facet_slots[facet]:
            news.unpinned(facet, beliefs, state.newest_ms, state.seq, explores)


def _write(user: bytes, state: UserState, news: News, prior: Prior) -> SignalWrite | None:
    if state.opted_out or not news:
        return None
    return SignalWrite(user, state.wiped_ms, _said_ms(state), news.take(prior.catalogue))


def _said_ms(state: UserState) -> int:
    """Return the event time from which the time to live of what was said counts, at most a pane too early.

    That is the time of what was said last. Other events have moved the clock since, perhaps; of when the profile was
    said, its pane is known.
    """
    sent = state.news.sent
    learned_ms = max(sent.at_ms, default=0) if sent else 0
    pinned_ms = max([pin.at_ms for pin in state.pins.values()], default=0)
    return max(learned_ms, pinned_ms, state.news.profile_pane * PANE_MS)
