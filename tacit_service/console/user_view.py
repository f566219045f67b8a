"""Look of an operator at one user. The audit has a line before the answer shows anything."""

from typing import NamedTuple

from dataflows.control.audit import audited
from dataflows.control.why import why as explain
from dataflows.control.why_document import Why
from tacit.errors import TacitError
from tacit_service.access.callers import Caller
from tacit_service.actions import problem_of
from tacit_service.api.explanations import from_state
from tacit_service.api.users import read_known
from tacit_service.http.operations import check_user_id
from tacit_service.http.problems import ProblemError
from tacit_service.known import Known
from tacit_service.service import Service

ACTION = "view"
"""Name of the action in the audit."""


class UserView(NamedTuple):
    """Knowledge about a user, with its explanation."""

    known: Known
    why: Why | None
    no_why: str
    """Reason why there is no explanation."""
    is_audited: bool


async def view_user(service: Service, caller: Caller, user_id: str) -> UserView:
    """Return the knowledge about a user.

    Args:
        service: shared parts.
        caller: the operator, for the audit.
        user_id: the user.

    Raises:
        ProblemError: the id breaks the contract, Redis does not answer, or the audit cannot be written.
    """
    check_user_id(user_id)
    user = service.pseudonym(user_id)
    service.count_user(user)
    document = await read_known(service, user_id)
    await service.in_thread(lambda: _record(service, caller, user))
    why, no_why = await _why(service, caller, user)
    return UserView(document, why, no_why, service.settings.audit is not None)


def _record(service: Service, caller: Caller, user: bytes) -> None:
    try:
        with audited(service.settings_of(caller.name), ACTION, user):
            pass
    except TacitError as error:
        raise problem_of(error) from None


async def _why(service: Service, caller: Caller, user: bytes) -> tuple[Why | None, str]:
    if "export" not in caller.scopes:
        return None, "The key of this session needs the scope export, too."
    try:
        return await from_state(service, caller.name, user, lambda used, folder: explain(used, folder, user)), ""
    except ProblemError as problem:
        return None, problem.detail
