"""Actions on a user's data, for the API and the page: carried out and audited as the commands do."""

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import NamedTuple

import structlog

from dataflows.control.actions import Carried, carry_out
from dataflows.control.effect import NoEffectError
from dataflows.control.receipts import new_number
from dataflows.control.sending import Sent, send_consent, send_forget, send_pin
from dataflows.control.verified import forget_verified
from dataflows.settings import Settings
from tacit.errors import ConfigurationError, TacitError
from tacit_service.http.problems import MemberProblem, ProblemError
from tacit_service.service import Service

MAX_WAIT_S = 10.0
"""Longest wait for an effect."""
_RECEIPT_WAIT_S = 60.0
"""Time limit for the effect of a forget with a receipt."""

Send = Callable[[Settings], Sent]


class Done(NamedTuple):
    """An action that the source has acknowledged."""

    sent: Sent
    took_ms: float | None
    """Time until the effect was visible; None: the action did not wait, or not long enough."""


class Forgotten(NamedTuple):
    """A forget that the source has acknowledged."""

    sent: Sent
    took_ms: float | None
    receipt: str | None
    """Number of the receipt, which is made in the background; None: the settings name no place for receipts."""


async def pin(
    service: Service, by: str, user_id: str, facet: str, value: str | None, wait_s: float | None = None
) -> Done:
    """Set a facet for a user; None removes the setting. Errors as `act`."""
    send: Send = partial(send_pin, user_id=user_id, facet=facet, value=value, write=service.write)
    return await act(service, by, "pin", user_id, send, wait_s)


async def consent(
    service: Service, by: str, user_id: str, *, granted: bool, scopes: Sequence[str] = (), wait_s: float | None = None
) -> Done:
    """Grant or withdraw consent; without scopes, in all of them. Errors as `act`."""
    send: Send = partial(send_consent, user_id=user_id, granted=granted, scopes=scopes, write=service.write)
    return await act(service, by, "consent", user_id, send, wait_s)


async def forget_facet(service: Service, by: str, user_id: str, facet: str, wait_s: float | None = None) -> Done:
    """Forget one facet of a user. Errors as `act`."""
    send: Send = partial(send_forget, user_id=user_id, facets=(facet,), write=service.write)
    return await act(service, by, "forget", user_id, send, wait_s)


async def act(service: Service, by: str, action: str, user_id: str, send: Send, wait_s: float | None) -> Done:
    """Send a control event, and wait for its effect.

    Args:
        service: shared parts.
        by: name of the token, or `user`, for the audit.
        action: name of the action in the audit.
        user_id: the user.
        send: function that sends the event.
        wait_s: limit of the wait; None: do not wait.

    Raises:
        ProblemError: the event is not allowed, or the source, Redis or the audit does not answer.
    """
    service.require_log()
    sent: list[Sent] = []

    def send_once(settings: Settings) -> Sent:
        sent.append(send(settings))
        return sent[0]

    def carry() -> Carried:
        return carry_out(service.settings_of(by), action, user_id, send_once, wait_s)

    try:
        done = await service.in_thread(carry)
    except NoEffectError:
        return Done(sent[0], None)
    except TacitError as error:
        raise problem_of(error) from None
    return Done(done.sent, done.took_ms)


async def forget(service: Service, by: str, user_id: str, wait_s: float | None = None) -> Forgotten:
    """Forget a user; with receipts in the settings, a verified forget follows in the background. Errors as `act`.

    Where the search before a verified forget fails, the user is forgotten without a receipt.
    """
    if service.settings.receipts is None:
        return await _forget_plainly(service, by, user_id, wait_s)
    service.require_log()
    number = new_number()
    loop = asyncio.get_running_loop()
    is_sent: asyncio.Future[Sent] = loop.create_future()

    def verify() -> float | None:
        done, _ = forget_verified(
            service.settings_of(by),
            user_id,
            (),
            (),
            _RECEIPT_WAIT_S,
            number=number,
            send=partial(send_forget, user_id=user_id, write=service.write),
            on_sent=lambda sent: loop.call_soon_threadsafe(is_sent.set_result, sent),
        )
        return done.took_ms

    job = service.in_background(verify)
    service.pending.add(number, service.pseudonym(user_id), job)
    await asyncio.wait((job, is_sent), return_when=asyncio.FIRST_COMPLETED)
    if not is_sent.done():
        with suppress(TacitError):  # the log has it
            await job
        return await _forget_plainly(service, by, user_id, wait_s)
    sent = is_sent.result()
    took_ms = await _took_ms(job, wait_s) if wait_s else None
    return Forgotten(sent, took_ms, number)


async def _forget_plainly(service: Service, by: str, user_id: str, wait_s: float | None) -> Forgotten:
    send: Send = partial(send_forget, user_id=user_id, write=service.write)
    done = await act(service, by, "forget", user_id, send, wait_s)
    return Forgotten(done.sent, done.took_ms, None)


async def _took_ms(job: "asyncio.Future[float | None]", wait_s: float) -> float | None:
    await asyncio.wait((job,), timeout=wait_s)
    return job.result() if job.done() and job.exception() is None else None


def problem_of(error: TacitError) -> ProblemError:
    """Return the answer to an error of an action."""
    if isinstance(error, ConfigurationError):
        problems = tuple(MemberProblem(*_parts(problem)) for problem in error.problems)
        return ProblemError("invalid-request", "The action is not allowed; see errors.", problems)
    structlog.get_logger("service").warning("action.failed", error=type(error).__name__, problem=str(error))
    return ProblemError(
        "unavailable",
        "The source, Redis or the audit did not answer, and the action may be done or not. Send it again.",
        headers={"Retry-After": "2"},
    )


def _parts(problem: str) -> tuple[str, str]:
    name, _, detail = problem.partition(": ")
    return name, detail
