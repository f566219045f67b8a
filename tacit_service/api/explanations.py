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
from state.errors import StateError
from tacit.errors import TacitError
from tacit_cli.state_folder import inspected
from tacit_service.actions import problem_of
from tacit_service.api.managed import counted_user
from tacit_service.api.users import USER
from tacit_service.http.answers import Answer, json_answer
from tacit_service.http.operations import Call, Operation, Parameter, not_configured
from tacit_service.http.problems import ProblemError, invalid
from tacit_service.service import Service

HTML = "text/html; charset=utf-8"
_PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'"

Result = TypeVar("Result")


async def read_why(call: Call) -> Answer:
    """Explain a user's values: how sure, which feedback for and against, and which would change them."""
    facet = call.query("facet")
    if facet is not None and facet not in call.service.catalogue.facets:
        raise invalid("facet", f"Allowed facets are {', '.join(call.service.catalogue.facets)}.")
    user = call.service.pseudonym(counted_user(call))
    return json_answer(
        await from_state(call.service, call.caller.name, lambda used, folder: explain(used, folder, user, facet))
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
    return await from_state(service, by, lambda used, folder: make_export(used, folder, user, reads_redis=True))


async def from_state(service: Service, by: str, read: Callable[[Settings, Inspected], Result]) -> Result:
    """Read the state folder, by the newest checkpoints.

    Args:
        service: shared parts.
        by: name of the token, or `user`, for the audit.
        read: function of the settings and the folder.

    Raises:
        ProblemError: the settings name no folder, it cannot be read, or it does not have the user.
    """
    if service.settings.state is None:
        raise not_configured("--state, the state folder of the workers")

    def run() -> Result:
        settings = service.settings_of(by)
        folder = inspected(settings)
        folder.require_secret(settings.secret_bytes)
        return read(settings, folder)

    try:
        return await service.in_thread(run)
    except StateError as error:
        if "has no user" in str(error):
            raise ProblemError("not-found", "The newest checkpoint has nothing about this user.") from None
        raise problem_of(error) from None
    except TacitError as error:
        raise problem_of(error) from None


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
