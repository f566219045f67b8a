"""Control events: consent, pins and forgets. The order of arrival decides, and no clock."""

from state.counters import Outcome
from state.events.observation import NONE, Kind, Observation
from state.events.records import CLOCK_TOLERANCE_MS, Reason
from state.user.rules import Rules
from tacit.contract.events import MIN_AT_MS
from tests.reference.consent import DENIED, LEARN, Pins
from tests.reference.user import Observed, UserParts, observe_interaction

FILE_AHEAD_MS = 365 * 24 * 3_600_000
LATEST_MS = 4_102_444_800_000
"""The year 2100."""
UNTIMED_MS = 1


class User(UserParts):
    """State of a user."""

    def observe(self, o: Observation, rules: Rules) -> Observed:
        """Take in an event."""
        return observe_interaction(self, o, rules) if o.kind == Kind.INTERACTION else _observe_control(self, o, rules)


def _observe_control(user: User, o: Observation, rules: Rules) -> Observed:
    if o.is_foreign and _is_unknown(user):
        return Observed(Reason.WRONG_REGION)
    if o.event in user.consent.controls:
        return Observed(Outcome.DUPLICATE)
    is_permissive = o.kind == Kind.GRANT or (o.kind == Kind.PIN and not o.slots)
    at_ms = _permissive_ms(o) if is_permissive else _restrictive_ms(user, o)
    is_back = user.come_back(at_ms, rules)
    observers = {Kind.GRANT: _grant, Kind.DENY: _deny, Kind.PIN: _pin, Kind.FORGET: _forget}
    observed = observers[Kind(o.kind)](user, o, at_ms, rules)
    if observed.changes or is_back:
        user.note_gate(rules.catalogue)
    if _is_unknown(user):
        return observed._replace(wipes=observed.wipes or is_back)
    user.consent.remember(o.event)
    return observed._replace(wipes=observed.wipes or is_back, remembers=True)


def _is_unknown(user: User) -> bool:
    return not (user.newest_ms or user.consent.is_set or user.pins)


def _permissive_ms(o: Observation) -> int:
    """Return the time of a "yes"; ahead of the record's own time, the record's time."""
    return o.record_ms if o.record_ms and o.at_ms > o.record_ms + CLOCK_TOLERANCE_MS else o.at_ms


def _restrictive_ms(user: User, o: Observation) -> int:
    """Return the time from which a "no", a forget or a pin holds: never before an event that arrived earlier."""
    bound_ms = o.record_ms or (user.newest_ms + FILE_AHEAD_MS if user.newest_ms else LATEST_MS)
    is_plausible = MIN_AT_MS <= o.at_ms <= bound_ms + CLOCK_TOLERANCE_MS
    return max(o.at_ms if is_plausible else 0, user.newest_ms) or o.record_ms or UNTIMED_MS


def _accept(user: User, at_ms: int, *, wipes: bool = False) -> Observed:
    user.accept(at_ms)
    return Observed(Outcome.ACCEPTED, wipes=wipes)


def _grant(user: User, o: Observation, at_ms: int, rules: Rules) -> Observed:
    consent = user.consent
    explored, used, states = consent.explores(rules.catalogue), consent.uses, list(consent.states)
    if at_ms < user.newest_ms - rules.idle_ms or not consent.grant(o.slots, at_ms):
        return Observed(Outcome.BEFORE_WIPE)
    observed = _accept(user, at_ms)
    user.history.answer(user.newest_ms, at_ms, o.slots, states, True)
    if consent.uses != used:
        for facet in sorted(user.pins):
            if user.pins.is_set(facet, rules.catalogue):
                user.history.change(user.newest_ms, facet, NONE, user.pins[facet][0], "user")
    if consent.explores(rules.catalogue) != explored or consent.uses != used:
        user.emit_all(rules.prior, user.outbox)
        user.note_changes(rules.catalogue)
    return observed


def _deny(user: User, o: Observation, at_ms: int, rules: Rules) -> Observed:
    consent, wipes = user.consent, LEARN in o.slots
    explored, states = consent.explores(rules.catalogue), list(consent.states)
    consent.put(o.slots, DENIED, at_ms)
    if wipes:
        consent.wiped_ms = at_ms
        user.restart(at_ms)
    if not consent.uses:
        user.withhold()
    observed = _accept(user, at_ms, wipes=wipes)
    user.history.answer(user.newest_ms, at_ms, o.slots, states, False)
    if explored and not wipes and not consent.explores(rules.catalogue):
        user.emit_all(rules.prior, user.outbox)
        user.note_changes(rules.catalogue)
    return observed


def _forget(user: User, o: Observation, at_ms: int, _: Rules) -> Observed:
    if not o.facets:
        user.consent.forget(at_ms)
        user.pins = Pins()
        user.restart(at_ms)
        observed = _accept(user, at_ms, wipes=True)
        user.history.forget(user.newest_ms, at_ms)
        return observed
    observed = _accept(user, at_ms, wipes=True)
    if user.preferences is not None:
        user.preferences.forget(o.facets)
    user.outbox.forget(o.facets)
    for facet in o.facets:
        if facet in user.pins:
            user.pins[facet] = (NONE, at_ms)
        earlier = user.consent.wiped.get(facet, (0, 0))
        user.consent.wiped[facet] = max((user.newest_ms, user.seq), earlier)  # a wipe sets the count back
    user.history.forget_facets(user.newest_ms, at_ms, o.facets)
    return observed


def _pin(user: User, o: Observation, at_ms: int, rules: Rules) -> Observed:
    (facet,), slot = o.facets, o.slots[0] if o.slots else NONE
    pinned = user.pins.get(facet)
    forgotten_ms = max(user.consent.forgotten_ms, user.consent.wiped.get(facet, (0, 0))[0])
    if (o.at_ms if o.at_ms >= MIN_AT_MS else at_ms) <= forgotten_ms:
        return Observed(Outcome.BEFORE_WIPE)
    at_ms = max(at_ms, forgotten_ms + 1)
    if pinned is not None and at_ms <= pinned[1]:
        if slot == NONE:
            return Observed(Outcome.BEFORE_WIPE)
        if slot != pinned[0]:
            at_ms = pinned[1] + 1  # gates order pins by time
    observed = _accept(user, at_ms)
    served = user.served(facet, rules.catalogue)
    user.pins[facet] = (slot, at_ms)
    before, name = NONE if pinned is None else pinned[0], "unpin" if slot == NONE else "pin"
    user.history.act(user.newest_ms, at_ms, name, facet=facet, value=slot, previous=before)
    if (now := user.served(facet, rules.catalogue)) != served:
        own = user.preferences
        is_learned = own is not None and own.has_feedback(facet)
        source = "user" if slot != NONE else "learned" if is_learned else "population"
        user.history.change(user.newest_ms, facet, served, now, source)
    return observed
