"""Managed actions: pins, consent and forgets, each a control event into the source."""

from functools import partial
from typing import Annotated

from msgspec import Meta, Struct

from tacit.contract.events import Name
from tacit.contract.gates import Scope
from tacit_service import actions
from tacit_service.actions import MAX_WAIT_S, Done
from tacit_service.api.users import USER, counted_user
from tacit_service.http.answers import Answer, json_answer
from tacit_service.http.operations import Call, Operation, Parameter
from tacit_service.http.problems import invalid

Seconds = Annotated[float, Meta(ge=0, le=MAX_WAIT_S)]

FACET = Parameter("facet", "Facet of the catalogue.", place="path", is_required=True)
WAIT = Parameter("wait", "Seconds to wait for the effect, 0 to 10; without it, answer at once.", kind=Seconds)


class PinRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Request of a user's own setting."""

    value: Name


class ConsentRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Request of a consent, or of its withdrawal."""

    granted: bool
    scopes: Annotated[list[Scope], Meta(min_length=1, max_length=3)] | None = None
    """None: all scopes."""


class DoneAnswer(Struct, frozen=True):
    """An action that the source has acknowledged."""

    event_id: str
    at_ms: int
    took_ms: float | None
    """Time until the effect was visible; None: no wait, or not long enough. The action is carried out in any case."""


class ForgetAnswer(Struct, frozen=True):
    """A forget that the source has acknowledged."""

    receipt: str | None
    """Number of the receipt; None: the service keeps no receipts."""
    sent_ms: int
    follow: str | None
    """Path of the receipt."""
    took_ms: float | None


def wait_of(call: Call) -> float | None:
    """Return the wait that the caller wants.

    Raises:
        ProblemError: it is no number from 0 to 10.
    """
    text = call.query("wait")
    if text is None:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = -1.0
    if not 0 <= seconds <= MAX_WAIT_S:
        raise invalid("wait", f"A number of seconds from 0 to {MAX_WAIT_S:g} is allowed.")
    return seconds or None


def known_facet(call: Call) -> str:
    """Return the facet in the path.

    Raises:
        ProblemError: it is not in the catalogue.
    """
    facet, facets = call.path("facet"), call.service.catalogue.facets
    if facet not in facets:
        raise invalid("facet", f"Allowed facets are {', '.join(facets)}.")
    return facet


def _done(done: Done) -> Answer:
    event = done.sent.event
    return json_answer(DoneAnswer(event.event_id, event.at, done.took_ms), 202)


async def set_pin(call: Call) -> Answer:
    """Set a facet for a user; the setting outranks every learned value."""
    facet, value = known_facet(call), call.body.value
    values = call.service.catalogue.facets[facet].values
    if value not in values:
        raise invalid("/value", f"Allowed values are {', '.join(values)}.")
    return _done(await actions.pin(call.service, call.caller.name, counted_user(call), facet, value, wait_of(call)))


async def remove_pin(call: Call) -> Answer:
    """Remove the user's own setting of a facet; the learned value returns."""
    facet = known_facet(call)
    return _done(await actions.pin(call.service, call.caller.name, counted_user(call), facet, None, wait_of(call)))


async def set_consent(call: Call) -> Answer:
    """Grant or withdraw consent, in some scopes or in all."""
    return _done(
        await actions.consent(
            call.service,
            call.caller.name,
            counted_user(call),
            granted=call.body.granted,
            scopes=call.body.scopes or (),
            wait_s=wait_of(call),
        )
    )


async def forget_facet(call: Call) -> Answer:
    """Delete the learned state of one facet of a user."""
    facet = known_facet(call)
    return _done(await actions.forget_facet(call.service, call.caller.name, counted_user(call), facet, wait_of(call)))


async def forget_user(call: Call) -> Answer:
    """Forget a user: delete the learned state, the pins and the granted consent; a receipt follows."""
    done = await actions.forget(call.service, call.caller.name, counted_user(call), wait_of(call))
    follow = None if done.receipt is None else f"/v1/receipts/{done.receipt}"
    return json_answer(ForgetAnswer(done.receipt, done.sent.event.at, follow, done.took_ms), 202)


_managed = partial(
    Operation,
    scope="manage",
    answers={202: ("The source has acknowledged the event.", DoneAnswer)},
    problems=("not-configured",),
)

OPERATIONS = (
    _managed(
        method="PUT",
        path="/v1/users/{user}/pins/{facet}",
        handle=set_pin,
        summary="Set a facet for a user",
        body=PinRequest,
        parameters=(USER, FACET, WAIT),
    ),
    _managed(
        method="DELETE",
        path="/v1/users/{user}/pins/{facet}",
        handle=remove_pin,
        summary="Remove the setting of a facet",
        parameters=(USER, FACET, WAIT),
    ),
    _managed(
        method="PUT",
        path="/v1/users/{user}/consent",
        handle=set_consent,
        summary="Grant or withdraw consent",
        body=ConsentRequest,
        parameters=(USER, WAIT),
    ),
    _managed(
        method="DELETE",
        path="/v1/users/{user}/facets/{facet}",
        handle=forget_facet,
        summary="Forget one facet of a user",
        parameters=(USER, FACET, WAIT),
    ),
    _managed(
        method="DELETE",
        path="/v1/users/{user}",
        handle=forget_user,
        summary="Forget a user",
        answers={202: ("The source has acknowledged the forget; the receipt follows.", ForgetAnswer)},
        parameters=(USER, WAIT),
    ),
)
