"""Explanations and exports, from the state folder of the workers."""

from collections.abc import Callable
from typing import Literal, TypeVar

from dataflows.control.export import export as make_export
from dataflows.control.export_document import Export
from dataflows.control.export_page import page
from dataflows.control.why import why as explain
from dataflows.control.why_document import Why
from dataflows.inspection import Inspected
from dataflows.settings import Settings
from state.catalogue.numbered import NumberedCatalogue
from state.errors import StateError
from state.user.gate import gate_of
from state.user.user_state import UserState
from tacit.contract.gates import Gate
from tacit.contract.versions import version
from tacit.errors import TacitError
from tacit_cli.state_folder import inspected
from tacit_service.actions import problem_of
from tacit_service.api.users import USER, counted_user
from tacit_service.http.answers import Answer, json_answer
from tacit_service.http.html import HTML
from tacit_service.http.operations import Call, Operation, Parameter, not_configured
from tacit_service.http.problems import ProblemError, invalid
from tacit_service.service import Service
from tacit_service.user_keys import read_user_keys

_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"

Result = TypeVar("Result")


async def read_why(call: Call) -> Answer:
    """Explain a user's values: how sure, which feedback for and against, and which would change them."""
    facet = call.query("facet")
    if facet is not None and facet not in call.service.catalogue.facets:
        raise invalid("facet", f"Allowed facets are {', '.join(call.service.catalogue.facets)}.")
    user = call.service.pseudonym(counted_user(call))
    return json_answer(
        await from_state(call.service, call.caller.name, user, lambda used, folder: explain(used, folder, user, facet))
    )


async def read_export(call: Call) -> Answer:
    """Export all that is held and inferred about a user."""
    form = call.query("format")
    if form not in {None, "json", "html"}:
        raise invalid("format", "json and html are allowed.")
    export = await export_of(call.service, call.caller.name, counted_user(call))
    if form == "html":
        return Answer(200, page(export).encode(), HTML, {"Content-Security-Policy": _PAGE_POLICY})
    return json_answer(export)


async def export_of(service: Service, by: str, user_id: str) -> Export:
    """Return the export of a user. Errors as `from_state`."""
    user = service.pseudonym(user_id)
    return await from_state(service, by, user, lambda used, folder: make_export(used, folder, user, reads_redis=True))


async def from_state(service: Service, by: str, user: bytes, read: Callable[[Settings, Inspected], Result]) -> Result:
    """Read the state folder, by the newest checkpoints.

    Args:
        service: shared parts.
        by: name of the token, or `user`, for the audit.
        user: 16-byte pseudonym.
        read: function of the settings and the folder.

    Raises:
        ProblemError: the settings name no folder, it cannot be read, it does not have the user, or the user deleted
            data that the newest checkpoint still has.
    """
    if service.settings.state is None:
        raise not_configured("--state, the state folder of the workers")

    gate = (await read_user_keys(service, user)).readable_gate

    def run() -> Result:
        settings = service.settings_of(by)
        folder = inspected(settings)
        folder.require_secret(settings.secret_bytes)
        found, _ = folder.checkpoints.get(user)
        if found is not None and _is_outdated(found, gate, folder.catalogue):
            raise ProblemError(
                "unavailable",
                "The user has deleted data, which the next checkpoint of the workers leaves out; try again.",
                headers={"Retry-After": "10"},
            )
        return read(settings, folder)

    try:
        return await service.in_thread(run)
    except StateError as error:
        if "has no user" in str(error):
            raise ProblemError("not-found", "The newest checkpoint has nothing about this user.") from None
        raise problem_of(error) from None
    except TacitError as error:
        raise problem_of(error) from None


def _is_outdated(state: UserState, gate: Gate, catalogue: NumberedCatalogue) -> bool:
    """Return whether a state still has data that the user deleted: a state with the deletion has at least its time."""
    own = gate_of(state.consent, state.pins, catalogue)
    of_all, since = version(own.wiped_ms + 1, 0), version(state.newest_ms, 0)
    deletions = [(version(gate.wiped_ms, 0), of_all)]
    deletions += [(at, max(of_all, own.wiped.get(facet, ""))) for facet, at in gate.wiped.items()]
    return any(at >= since and at > known for at, known in deletions)


OPERATIONS = (
    Operation(
        method="GET",
        path="/v1/users/{user}/why",
        handle=read_why,
        summary="Explain a user's values",
        scope="export",
        answers={200: ("The explanation (docs/schema/why.schema.json).", Why)},
        parameters=(USER, Parameter("facet", "Facet of the catalogue; without it, all.")),
        problems=("not-configured",),
    ),
    Operation(
        method="GET",
        path="/v1/users/{user}/export",
        handle=read_export,
        summary="Export a user's data",
        scope="export",
        answers={200: ("The export (docs/schema/export.schema.json), or a page of it.", Export)},
        forms=("text/html",),
        parameters=(USER, Parameter("format", "Form of the export; json without it.", kind=Literal["json", "html"])),
        problems=("not-configured",),
    ),
)
