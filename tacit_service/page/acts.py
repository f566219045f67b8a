"""Actions of the page, by the same functions as the API."""

from collections.abc import Awaitable, Callable, Mapping
from time import monotonic, time_ns
from typing import Literal, NamedTuple

from tacit.contract.history import Action
from tacit_service import actions
from tacit_service.access.callers import PAGE_USER
from tacit_service.actions import Done
from tacit_service.http.problems import ProblemError
from tacit_service.page.past import id_of
from tacit_service.service import Service
from tacit_service.undo import undoable
from tacit_service.user_keys import read_history

WAIT_S = 2.0
"""Time limit of the wait for an effect."""

Outcome = Literal["done", "late", "gone", "invalid", "busy", "failed"]
"""Outcome of an action.

- `done`: the effect is visible.
- `late`: the source has the event, and the effect is not visible in time.
- `gone`: no undo is possible any more.
- `invalid`: the catalogue has no such facet or value, and no event was sent.
- `busy`: too many requests came, and no event was sent.
- `failed`: the source may have the event or not.
"""


class Act(NamedTuple):
    """Outcome, and the part of the page that the action was about."""

    outcome: Outcome
    focus: str = ""


Form = Mapping[str, str]
Perform = Callable[[Service, str, Form], Awaitable[Act]]


async def perform(service: Service, user_id: str, name: str, form: Form) -> Act:
    """Perform an action of the form; errors are outcomes.

    Raises:
        ProblemError: the service is not set up for actions.
    """
    try:
        service.count_user(service.pseudonym(user_id))
        return await ACTS[name](service, user_id, form)
    except ProblemError as problem:
        outcome = _OUTCOMES.get(problem.kind)
        if outcome is None:
            raise
        return Act(outcome, _focus(form))


_OUTCOMES: Mapping[str, Outcome] = {
    "invalid-request": "invalid",
    "too-many-requests": "busy",
    "unavailable": "failed",
}
"""Kind of a problem → outcome."""


async def _choose(service: Service, user_id: str, form: Form) -> Act:
    """Set a facet."""
    facet = form.get("facet", "")
    return _act(await actions.pin(service, PAGE_USER, user_id, facet, form.get("value", ""), WAIT_S), facet)


async def _learn_again(service: Service, user_id: str, form: Form) -> Act:
    """Remove the setting of a facet."""
    facet = form.get("facet", "")
    return _act(await actions.pin(service, PAGE_USER, user_id, facet, None, WAIT_S), facet)


async def _forget(service: Service, user_id: str, form: Form) -> Act:
    """Forget a facet."""
    facet = form.get("facet", "")
    return _act(await actions.forget_facet(service, PAGE_USER, user_id, facet, WAIT_S), facet)


async def _wrong(service: Service, user_id: str, form: Form) -> Act:
    """Forget a facet, and then set the value that the user picked, if any: a forget drops an older setting."""
    facet, value = form.get("facet", ""), form.get("value", "")
    if value and value not in _values(service, facet):
        return Act("invalid", facet)
    start_s = monotonic()
    done = await actions.forget_facet(service, PAGE_USER, user_id, facet, WAIT_S)
    if value:
        done = await actions.pin(service, PAGE_USER, user_id, facet, value, max(0.0, WAIT_S - (monotonic() - start_s)))
    return _act(done, facet)


async def _consent(service: Service, user_id: str, form: Form) -> Act:
    """Grant or withdraw a scope of consent."""
    scope, granted = form.get("scope", ""), form.get("granted") == "yes"
    return _act(
        await actions.consent(service, PAGE_USER, user_id, granted=granted, scopes=(scope,), wait_s=WAIT_S), scope
    )


async def _undo(service: Service, user_id: str, form: Form) -> Act:
    """Undo an action of the last day."""
    history = await read_history(service, service.pseudonym(user_id))
    for action in undoable(history, time_ns() // 1_000_000):
        if id_of(action) == form.get("name"):
            return _act(await _undone(service, user_id, action), "own")
    return Act("gone", "own")


ACTS: Mapping[str, Perform] = {
    "choose": _choose,
    "learn-again": _learn_again,
    "wrong": _wrong,
    "forget": _forget,
    "consent": _consent,
    "undo": _undo,
}
"""Last part of the path → action."""


async def _undone(service: Service, user_id: str, action: Action) -> Done:
    if action.action == "consent":
        granted, scopes = not action.granted, action.scopes
        return await actions.consent(service, PAGE_USER, user_id, granted=granted, scopes=scopes, wait_s=WAIT_S)
    return await actions.pin(service, PAGE_USER, user_id, action.facet or "", action.previous, WAIT_S)


def _act(done: Done, focus: str) -> Act:
    return Act("late" if done.took_ms is None else "done", focus)


def _focus(form: Form) -> str:
    return form.get("facet") or form.get("scope") or "own"


def _values(service: Service, facet: str) -> tuple[str, ...]:
    found = service.catalogue.facets.get(facet)
    return () if found is None else found.values
