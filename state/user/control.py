"""Control events: consent, pins and forgets."""

from state.events.observation import NONE, Kind, Observation
from state.user.consent import DENIED, GRANTED
from state.user.parts import ACCEPTED, BEFORE_WIPE, DUPLICATE, Observed, UserParts
from state.user.rules import Rules


def observe_control(user: UserParts, o: Observation, rules: Rules) -> Observed:
    """Take in a control event."""
    if o.event in user.events:
        return DUPLICATE
    if o.kind == Kind.PIN:
        return _observe_pin(user, o, rules)
    return _observe_forget(user, o, rules) if o.kind == Kind.FORGET else _observe_consent(user, o, rules)


def _observe_consent(user: UserParts, o: Observation, rules: Rules) -> Observed:
    consent = user.consent
    was_opted_out = consent.opted_out
    choice = DENIED if o.kind == Kind.DENY else GRANTED
    wipes = consent.choose(choice, o.at_ms, lapsed_before_ms=user.newest_ms - rules.idle_ms)
    if wipes:
        _wipe(user, o.at_ms)
    _accept(user, o, rules)
    consent.note_gate()
    if wipes or was_opted_out:
        user.emit_settings(user.pins, rules.prior, user.outbox)
    return ACCEPTED


def _observe_forget(user: UserParts, o: Observation, rules: Rules) -> Observed:
    consent = user.consent
    if o.at_ms <= consent.forgotten_ms:
        return BEFORE_WIPE
    consent.forgotten_ms = o.at_ms
    dropped = user.pins.forget(o.at_ms)
    wipes = o.at_ms > consent.wiped_ms
    if wipes:
        _wipe(user, o.at_ms)
    _accept(user, o, rules)
    consent.note_gate()
    user.emit_settings(user.pins if wipes else dropped, rules.prior, user.outbox)
    return ACCEPTED


def _observe_pin(user: UserParts, o: Observation, rules: Rules) -> Observed:
    if o.at_ms <= user.consent.wiped_ms:
        return BEFORE_WIPE
    _accept(user, o, rules)
    (facet,) = o.facets
    if user.pins.put(facet, o.slots[0] if o.slots else NONE, o.at_ms):
        user.emit_settings([facet], rules.prior, user.outbox)
    return ACCEPTED


def _accept(user: UserParts, o: Observation, rules: Rules) -> None:
    before_ms = user.accept(o, rules)
    if user.windows is not None and user.newest_ms > before_ms:
        user.windows.advance(before_ms, user.newest_ms)


def _wipe(user: UserParts, at_ms: int) -> None:
    """Drop the learned state; the clock stays at the newest register that outlives the wipe."""
    user.consent.wipe(at_ms)
    user.restart(max(user.consent.wiped_ms, user.consent.at_ms, user.pins.newest_ms()))
    user.earlier = ()
