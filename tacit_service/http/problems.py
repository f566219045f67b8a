"""Problem details (RFC 9457): the one form of every error of the service. No text names a user."""

import re
from collections.abc import Mapping

import msgspec

from tacit_service.http.answers import Answer

PROBLEM_JSON = "application/problem+json"


class Kind(msgspec.Struct, frozen=True):
    """Kind of a problem: status and title."""

    status: int
    title: str


KINDS: Mapping[str, Kind] = {
    "invalid-request": Kind(400, "The request is not valid"),
    "unauthorized": Kind(401, "A valid token is required"),
    "forbidden": Kind(403, "The token does not permit this"),
    "not-found": Kind(404, "There is no such resource"),
    "method-not-allowed": Kind(405, "The resource does not have this method"),
    "request-timeout": Kind(408, "The request did not arrive in time"),
    "too-large": Kind(413, "The request is too large"),
    "unsupported-media-type": Kind(415, "The body must be JSON"),
    "too-many-requests": Kind(429, "Too many requests"),
    "internal": Kind(500, "The service failed"),
    "not-configured": Kind(501, "The service is not set up for this"),
    "unavailable": Kind(503, "A part that the service needs is not available"),
}
"""Last part of the problem's type → kind. docs/guides/service.md describes each."""


class MemberProblem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Problem of one member of the request."""

    pointer: str
    """JSON pointer (RFC 6901), or the name of a parameter."""
    detail: str


class Problem(msgspec.Struct, frozen=True, omit_defaults=True):
    """Problem details of an error."""

    type: str
    title: str
    status: int
    detail: str
    request_id: str
    errors: tuple[MemberProblem, ...] = ()


class ProblemError(Exception):
    """Error with an answer for the client.

    Args:
        kind: key of `KINDS`.
        detail: failure and remedy, without a user id.
        errors: problems of members.
        headers: further headers of the answer.
    """

    def __init__(
        self,
        kind: str,
        detail: str,
        errors: tuple[MemberProblem, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(kind)
        self.kind = kind
        self.detail = detail
        self.errors = errors
        self.headers = headers or {}

    def answer(self, request_id: str) -> Answer:
        """Return the answer."""
        kind = KINDS[self.kind]
        problem = Problem(f"/problems/{self.kind}", kind.title, kind.status, self.detail, request_id, self.errors)
        return Answer(kind.status, msgspec.json.encode(problem), PROBLEM_JSON, self.headers)


_PATH = re.compile(r" - at `(\$|key in \$)([^`]*)`$")
_QUOTED = re.compile(r" '.*'| `(?!str`|int`|float`|bool`|null`|object`|array`|object \||array \|)[^`]*`", re.DOTALL)


def member_problem(error: Exception) -> MemberProblem:
    """Return the problem of a member that msgspec rejects, without values of the request.

    >>> member_problem(msgspec.ValidationError("Expected `str`, got `int` - at `$.requests[3].user`"))
    MemberProblem(pointer='/requests/3/user', detail='Expected `str`, got `int`')
    >>> member_problem(msgspec.ValidationError("Object contains unknown field `ada`")).detail
    'Object contains unknown field'
    """
    text = str(error)
    path = ""
    if found := _PATH.search(text):
        path = found[2].replace("[...]", ".*").replace("[", ".").replace("]", "").replace(".", "/")
        text = text[: found.start()]
    if not isinstance(error, msgspec.ValidationError):
        text = "The body is not JSON"
    return MemberProblem(path, _QUOTED.sub("", text))


def invalid(pointer: str, detail: str) -> ProblemError:
    """Return the error of one member."""
    return ProblemError(
        "invalid-request", "A member of the request is not valid; see errors.", (MemberProblem(pointer, detail),)
    )
