"""Visits of users: the cookie of a page session, and the check of a posted form."""

from collections.abc import Mapping
from dataclasses import dataclass

from starlette.requests import Request

from tacit_service.access.links import SESSION_S, Links, Visitor
from tacit_service.http.forms import origin_host, read_fields
from tacit_service.page.form_token import FormTokens
from tacit_service.page.language import Language

COOKIE = "tacit-page"
MAX_FORM_BYTES = 4096


class NoSessionError(Exception):
    """The request has no valid page session."""


class ForeignFormError(Exception):
    """The form may come from a page of another origin, or cannot be read."""


@dataclass(frozen=True, slots=True)
class Visit:
    """Request to the page."""

    request: Request
    visitor: Visitor | None
    """User of the session; None without a valid session."""
    language: Language

    @property
    def user_id(self) -> str:
        """User id of the session.

        Raises:
            NoSessionError: the browser has no valid session.
        """
        if self.visitor is None:
            raise NoSessionError
        return self.visitor.user_id

    @property
    def is_fragment(self) -> bool:
        """True if htmx asks for a part of the page."""
        return self.request.headers.get("hx-request") == "true"


def cookie(links: Links, visitor: Visitor, *, is_secure: bool) -> str:
    """Return the value of Set-Cookie for a new session of a visitor."""
    secure = "; Secure" if is_secure else ""
    return f"{COOKIE}={links.session(visitor)}; Path=/page; Max-Age={SESSION_S}; HttpOnly; SameSite=Strict{secure}"


async def read_form(visit: Visit, tokens: FormTokens, public_host: str) -> Mapping[str, str]:
    """Return the fields of a posted form.

    Args:
        visit: the request.
        tokens: verifier of the token in the form.
        public_host: host and port of the page as users see it.

    Raises:
        NoSessionError: the browser has no valid session.
        ForeignFormError: the form may come from another page.
    """
    user_id = visit.user_id
    if not _is_own(visit.request, public_host):
        raise ForeignFormError
    try:
        found = await read_fields(visit.request, MAX_FORM_BYTES)
    except ValueError:
        raise ForeignFormError from None
    if not tokens.is_valid(found.get("token", ""), user_id):
        raise ForeignFormError
    return found


def _is_own(request: Request, public_host: str) -> bool:
    """Return whether no header names another origin.

    A page without a referrer sends `Origin: null` with forms, and browsers send Sec-Fetch-Site over HTTPS. Where
    neither is known, the cookie (SameSite=Strict) and the token decide.
    """
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        return False
    return origin_host(request) in {"", "null", public_host, request.headers.get("host")}
