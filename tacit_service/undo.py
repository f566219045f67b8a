"""Undo of a user's own actions, for a day."""

from collections.abc import Iterator

from tacit.contract.activity import DAY_MS
from tacit.contract.history import Action, History

UNDO_MS = DAY_MS


def undoable(history: History, now_ms: int) -> Iterator[Action]:
    """Yield the actions that can be undone, the newest first: of the last day, and not replaced by a later one.

    A forget cannot be undone. Neither can a "yes" to learn, as its withdrawal deletes: the switch warns of that. A "no"
    can be undone if it replaced a "yes", so that no scope is granted that never was.
    """
    for number, action in enumerate(history.actions[::-1]):
        later = history.actions[len(history.actions) - number :]
        if (
            action.at_ms > now_ms - UNDO_MS
            and _has_way_back(action)
            and not any(_replaces(each, action) for each in later)
        ):
            yield action


def _has_way_back(action: Action) -> bool:
    if action.action == "consent":
        before = "denied" if action.granted else "granted"
        is_loss = bool(action.granted) and "learn" in action.scopes
        return not is_loss and bool(action.states) and all(state == before for state in action.states)
    return action.action != "forget" and action.previous != action.value


def _replaces(later: Action, action: Action) -> bool:
    if later.action == "forget":
        return later.facet is None or later.facet == action.facet
    if action.action == "consent":
        return later.action == "consent" and bool({*later.scopes} & {*action.scopes})
    return later.facet == action.facet
