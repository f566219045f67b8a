"""Absences: a user without events for longer than `Rules.idle_ms` starts again.

An absence ends the learned state and a granted consent. An explicit "no", pins and the time of a wipe outlive it.
"""

from state.events.observation import Kind, Observation
from state.user.outbox import Outbox
from state.user.parts import UserParts
from state.user.rules import Rules
from state.user.windows import Windows


def come_back(user: UserParts, o: Observation, rules: Rules) -> bool:
    """Restart a user after an absence; without the necessary consent, return False and change no part.

    All other events are accepted: after an absence, an event is newer than all wipes, and no repeat.
    """
    consent = user.consent
    if o.kind == Kind.INTERACTION and (consent.opted_out or rules.catalogue.consent.default != "granted"):
        return False
    earlier: tuple[Outbox, ...] = (*user.earlier, user.outbox) if user.outbox else user.earlier
    _lapse(user, o.at_ms)
    user.earlier = earlier
    if not consent.opted_out and user.pins.in_force():
        _replace_signals(user, o, rules)
    return True


def _lapse(user: UserParts, at_ms: int) -> None:
    user.consent.lapse()
    user.restart(at_ms)


def _replace_signals(user: UserParts, o: Observation, rules: Rules) -> None:
    """Emit that no facet is learned: next to a pin, which has no time to live, earlier signals did not expire."""
    catalogue = rules.catalogue
    facets = range(len(catalogue.facet_names))
    unpinned = [facet for facet in facets if not user.pins.is_set(facet, catalogue)]
    user.emit_settings(unpinned, rules.prior, user.outbox)
    if o.kind != Kind.INTERACTION:  # an interaction emits a profile of its own
        user.outbox.emit_profile(Windows(), user.newest_ms, user.seq)


def retire(user: UserParts) -> bool:
    """End the learned state of a certainly absent user, and return whether a part must be kept.

    No write may wait. The user's next event has the same result with and without this call. The time of a wipe
    stays: otherwise the gate in Redis blocks all later writes of the user.
    """
    _lapse(user, user.newest_ms)
    return user.consent.opted_out or bool(user.pins) or user.consent.wiped_ms > 0
