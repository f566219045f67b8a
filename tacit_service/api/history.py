"""History: the user's own actions, and the changes of served values."""

from time import time_ns
from typing import Literal

from msgspec import Struct

from tacit.contract.gates import Scope
from tacit.contract.history import Action, Change
from tacit_service.api.users import USER, counted_user
from tacit_service.http.answers import Answer, json_answer
from tacit_service.http.operations import Call, Operation
from tacit_service.undo import undoable
from tacit_service.user_keys import read_history


class PastAction(Struct, frozen=True):
    """Action of the user."""

    at_ms: int
    action: Literal["pin", "unpin", "consent", "forget"]
    facet: str | None
    """None: the action is about no single facet."""
    value: str | None
    """Pinned value."""
    previous: str | None
    """Pinned value before."""
    granted: bool | None
    """Answer of a consent."""
    scopes: tuple[Scope, ...]
    can_undo: bool
    """True for a day, unless a later action replaced it."""


class HistoryAnswer(Struct, frozen=True):
    """The last actions and changes, the newest first."""

    actions: tuple[PastAction, ...]
    changes: tuple[Change, ...]


async def read_user_history(call: Call) -> Answer:
    """Return the user's own actions and the changes of served values, the newest first."""
    history = await read_history(call.service, call.service.pseudonym(counted_user(call)))
    can_undo = [*undoable(history, time_ns() // 1_000_000)]
    actions = tuple(_past(action, can_undo=action in can_undo) for action in reversed(history.actions))
    return json_answer(HistoryAnswer(actions, history.changes[::-1]))


def _past(action: Action, *, can_undo: bool) -> PastAction:
    return PastAction(
        action.at_ms,
        action.action,
        action.facet,
        action.value,
        action.previous,
        action.granted,
        action.scopes,
        can_undo,
    )


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/users/{user}/history",
        handle=read_user_history,
        summary="Read a user's actions and changes",
        scope="manage",
        answers={200: ("The last actions and changes.", HistoryAnswer)},
        parameters=(USER,),
    ),
)
