"""Control events: consent, pins and forgets. The order of arrival decides, and no clock.

A "no", a forget and a pin take effect at the newest of: their own time, if it is plausible, and the newest time known
of the user. A "yes" and the removal of a pin have their own time, and must be newer than the event that they lift.
"""

from state.events.observation import NONE, Kind, Observation
from state.events.records import CLOCK_TOLERANCE_MS
from state.user import absence
from state.user.consent import LEARN
from state.user.history import LEARNED, POPULATION, USER
from state.user.parts import ACCEPTED, BEFORE_WIPE, DUPLICATE, WRONG_REGION, Observed, UserParts
from state.user.rules import Rules
from tacit.contract.events import MIN_AT_MS

FILE_AHEAD_MS = 365 * 24 * 3_600_000
"""Most time after the user's newest event that a source without times of its own (a file) is believed: a year."""
LATEST_MS = 4_102_444_800_000
"""Latest plausible time where neither record nor user has one: the year 2100."""
UNTIMED_MS = 1
"""Time of a "no", a forget or a pin where event, record and user have none; Redis may know a newer time."""


def observe_control(user: UserParts, o: Observation, rules: Rules) -> Observed:
    """Take in a control event."""
    if o.is_foreign and not is_known(user):
        return WRONG_REGION
    if user.consent.remembers(o.event):
        return DUPLICATE
    at_ms = _permissive_ms(o) if _is_permissive(o) else _restrictive_ms(user, o)
    back = absence.come_back(user, at_ms, rules)
    observed = _OBSERVERS[Kind(o.kind)](user, o, at_ms, rules)
    if observed.changes or back:
        user.note_gate(rules.catalogue, _asked_ms(o))
    remembers = is_known(user)
    if remembers:
        user.consent.remember(o.event)  # a refused event, too: the record of its repeat may have a newer time
    return observed._replace(wipes=observed.wipes or back, remembers=remembers)


def is_known(user: UserParts) -> bool:
    """Return whether the state holds anything about the user."""
    return bool(user.newest_ms or user.consent.is_set or user.pins)


def _is_permissive(o: Observation) -> bool:
    return o.kind == Kind.GRANT or (o.kind == Kind.PIN and not o.slots)


def _permissive_ms(o: Observation) -> int:
    """Return the time of a "yes" or of the removal of a pin; ahead of the record's own time, the record's time."""
    return o.record_ms if o.record_ms and o.at_ms > o.record_ms + CLOCK_TOLERANCE_MS else o.at_ms


def _restrictive_ms(user: UserParts, o: Observation) -> int:
    """Return the time from which a "no", a forget or a pin holds: never before an event that arrived earlier.

    With a right clock, a file and a topic so mean the same. A wrong clock takes more from a user in a file.
    """
    bound_ms = o.record_ms or (user.newest_ms + FILE_AHEAD_MS if user.newest_ms else LATEST_MS)
    is_plausible = MIN_AT_MS <= o.at_ms <= bound_ms + CLOCK_TOLERANCE_MS
    return max(o.at_ms if is_plausible else 0, user.newest_ms) or o.record_ms or UNTIMED_MS


def _asked_ms(o: Observation) -> int:
    """Return the time at which the user decided; with an implausible time in the event, that of the record."""
    bound_ms = (o.record_ms or LATEST_MS) + CLOCK_TOLERANCE_MS
    return o.at_ms if MIN_AT_MS <= o.at_ms <= bound_ms else o.record_ms


def _observe_grant(user: UserParts, o: Observation, at_ms: int, rules: Rules) -> Observed:
    consent = user.consent
    explored, used, states = consent.explores(rules.catalogue), consent.uses, consent.states
    if at_ms < user.newest_ms - rules.idle_ms or not consent.grant(o.slots, at_ms):
        return BEFORE_WIPE
    _accept(user, at_ms)
    user.history.answer(o.slots, states, True, at_ms)
    if consent.uses != used:
        _note_served_pins(user)
    if consent.explores(rules.catalogue) != explored or consent.uses != used:
        user.emit_all(rules.prior)
    return ACCEPTED


def _note_served_pins(user: UserParts) -> None:
    """Note the pins that readers serve again, now that the use of signals is granted."""
    for facet, pin in user.pins.items():
        if user.pins.is_set(facet, user.catalogue):
            user.history.change(facet, NONE, pin.slot, USER)


def _observe_denial(user: UserParts, o: Observation, at_ms: int, rules: Rules) -> Observed:
    consent = user.consent
    explored, states = consent.explores(rules.catalogue), consent.states
    consent.deny(o.slots, at_ms)
    if LEARN in o.slots:
        consent.wiped_ms = at_ms
        user.restart(at_ms)
    if not consent.uses:
        user.withhold()
    _accept(user, at_ms)
    user.history.answer(o.slots, states, False, at_ms)
    if explored and LEARN not in o.slots and not consent.explores(rules.catalogue):
        user.emit_all(rules.prior)
    return ACCEPTED._replace(wipes=LEARN in o.slots)  # a user who was freed has older bytes on disk, too


def _observe_forget(user: UserParts, o: Observation, at_ms: int, _: Rules) -> Observed:
    if o.facets:
        return _forget_facets(user, o, at_ms)
    user.consent.forget(at_ms)
    user.pins.clear()
    user.restart(at_ms)
    _accept(user, at_ms)
    user.history.forget(at_ms)
    return ACCEPTED._replace(wipes=True)


def _forget_facets(user: UserParts, o: Observation, at_ms: int) -> Observed:
    _accept(user, at_ms)
    if user.preferences is not None:
        user.preferences.forget(o.facets)
    for facet in o.facets:
        user.retract(facet)
        user.pins.forget(facet, at_ms)
        user.consent.forget_facet(facet, user.newest_ms, user.seq)
    user.history.forget_facets(o.facets, at_ms)
    return ACCEPTED._replace(wipes=True)


def _observe_pin(user: UserParts, o: Observation, at_ms: int, _: Rules) -> Observed:
    (facet,) = o.facets
    consent, pin = user.consent, user.pins.get(facet)
    forgotten_ms = max(consent.forgotten_ms, consent.wiped_at(facet))
    if (o.at_ms if o.at_ms >= MIN_AT_MS else at_ms) <= forgotten_ms:
        return BEFORE_WIPE
    at_ms = max(at_ms, forgotten_ms + 1)
    if not o.slots and pin is not None and at_ms <= pin.at_ms:
        return BEFORE_WIPE
    slot = o.slots[0] if o.slots else NONE
    if pin is not None and at_ms <= pin.at_ms and slot != pin.slot:
        at_ms = pin.at_ms + 1  # the gate orders pins by time
    _accept(user, at_ms)
    before = user.served(facet)
    user.pins.put(facet, slot, at_ms)
    user.history.pin(facet, slot, NONE if pin is None else pin.slot, at_ms)
    if (served := user.served(facet)) != before:
        user.history.change(facet, before, served, _source(user, facet, slot))
    return ACCEPTED


def _source(user: UserParts, facet: int, pinned: int) -> int:
    """Return the source of the value that readers serve now."""
    if pinned != NONE:
        return USER
    return LEARNED if user.has_preferences and user.model.has_feedback(facet) else POPULATION


def _accept(user: UserParts, at_ms: int) -> None:
    before_ms = user.accept(at_ms)
    if user.has_windows and user.newest_ms > before_ms:
        user.windows.advance(before_ms, user.newest_ms)


_OBSERVERS = {
    Kind.GRANT: _observe_grant,
    Kind.DENY: _observe_denial,
    Kind.PIN: _observe_pin,
    Kind.FORGET: _observe_forget,
}
