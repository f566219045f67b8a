"""User links: the way of a user to the page."""

from typing import Annotated

from msgspec import Meta, Struct

from tacit.contract.events import Locale, UserId
from tacit_service.access.links import DEFAULT_LINK_S, MAX_LINK_S, Visitor
from tacit_service.http.answers import Answer, json_answer
from tacit_service.http.operations import Call, Operation, not_configured


class LinkRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Request of a link."""

    user: UserId
    expires_in_s: Annotated[int, Meta(ge=1, le=MAX_LINK_S)] = DEFAULT_LINK_S
    language: Locale | None = None
    """Language of the page; None: that of the browser."""


class LinkAnswer(Struct, frozen=True):
    """Link to the page."""

    url: str
    expires_at_ms: int


async def make_link(call: Call) -> Answer:
    """Make a link with which a user opens the page."""
    service, request = call.service, call.body
    if service.links is None:
        raise not_configured("TACIT_LINK_SECRET")
    service.count_user(service.pseudonym(request.user))
    token, end_s = service.links.link(Visitor(request.user, request.language), request.expires_in_s)
    return json_answer(LinkAnswer(f"{service.public_url}/page?link={token}", end_s * 1000), 201)


OPERATIONS = (
    Operation(
        method="POST",
        path="/v1/links",
        handle=make_link,
        summary="Make a link to the page of a user",
        scope="manage",
        body=LinkRequest,
        answers={201: ("The link, and its end.", LinkAnswer)},
        problems=("not-configured",),
    ),
)
