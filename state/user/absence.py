"""Absences: a user without events for longer than `Rules.idle_ms` starts again.

An absence ends the learned state, and granted consents lapse. After `RECLAIM_GRACE_MS` more, a lapsed consent is as if
it had never been asked for, so the state of such a user can be freed. An explicit "no", pins and the time of a wipe
outlive every absence.
"""

from state.user.parts import UserParts
from state.user.rules import Rules
from tacit.contract.activity import DAY_MS

RECLAIM_GRACE_MS = 30 * DAY_MS
"""Grace before an absent user is freed: the streams of two users may be 30 days apart."""


def come_back(user: UserParts, at_ms: int, rules: Rules) -> bool:
    """Restart a user after an absence, and return whether the event at `at_ms` changed the state by that."""
    absent_ms = at_ms - user.newest_ms
    if not user.newest_ms or absent_ms <= rules.idle_ms:
        return False
    waiting = user.waiting
    earlier = waiting.earlier
    if waiting.outbox:
        waiting.outbox.explores = user.consent.explores(rules.catalogue)
        earlier = (*earlier, waiting.outbox)
    if absent_ms > rules.idle_ms + RECLAIM_GRACE_MS:
        if not _is_kept(user):
            user.keep_history()
            user.restart(0)
            user.consent.clear()
            user.pins.clear()
            user.history.clear()
            waiting.earlier = earlier
            return True
        if changed := user.consent.expire(user.newest_ms + rules.idle_ms + RECLAIM_GRACE_MS):
            user.note_gate(rules.catalogue)
    elif changed := user.consent.lapse(user.newest_ms + rules.idle_ms):
        user.note_gate(rules.catalogue)
    if not user.seq:
        return changed
    user.keep_history()
    user.restart(user.newest_ms)
    user.history.end_absence()
    waiting.earlier = earlier
    return True


def retire(user: UserParts, wipes_before_ms: int) -> bool:
    """End the learned state of a certainly absent user, and return whether a part must be kept.

    No write may wait. The user's next event has the same result with and without this call. A wipe from before
    `wipes_before_ms` is of no use any more: no event is as old.
    """
    user.restart(user.newest_ms)
    user.history.end_absence()
    return _is_kept(user, wipes_before_ms)


def _is_kept(user: UserParts, wipes_before_ms: int = 1) -> bool:
    consent = user.consent
    newest_wipe_ms = max(consent.wiped_ms, *(at_ms for at_ms, _ in consent.wiped.values()), 0)
    return consent.is_denied or user.pins.in_force or newest_wipe_ms >= max(wipes_before_ms, 1)
