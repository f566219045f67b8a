"""Operations of the API: path, scope, body and answers of each, and the checks before its handler.

A resource is a list of operations. Each has a function of a `Call` that returns the answer.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import parse_qs, unquote

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from tacit.contract.events import UserId
from tacit_service.access import callers
from tacit_service.access.callers import Caller
from tacit_service.http.bodies import MAX_BODY_BYTES, decoded, read_body
from tacit_service.http.problems import ProblemError, invalid

if TYPE_CHECKING:
    from tacit_service.service import Service


class Parameter(NamedTuple):
    """Parameter of a path or of a query, for the OpenAPI document."""

    name: str
    description: str
    kind: Any = str
    place: str = "query"
    is_required: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A permitted request of a caller."""

    service: "Service"
    request: Request
    caller: Caller
    body: Any = None
    """Document of the operation's type; bytes for an operation with a decoder of the handler."""

    @property
    def user_id(self) -> str:
        """User id in the path.

        Raises:
            ProblemError: it breaks the contract.
        """
        try:
            user_id = unquote(self.request.path_params["user"], errors="strict")
        except UnicodeDecodeError:
            user_id = ""
        check_user_id(user_id)
        return user_id

    def path(self, name: str) -> str:
        """Return a part of the path; an unreadable part is no existing name."""
        return unquote(self.request.path_params[name], errors="replace")

    def query(self, name: str) -> str | None:
        """Return the value of a query parameter, which may be given once.

        Raises:
            ProblemError: it is given more than once, or is not UTF-8.
        """
        try:
            text = self.request.scope["query_string"].decode("ascii")
            found = parse_qs(text, keep_blank_values=True, errors="strict", max_num_fields=32).get(name)
        except ValueError:
            raise invalid(name, "The query is not valid.") from None
        if found is None:
            return None
        if len(found) > 1:
            raise invalid(name, "Give the parameter once.")
        return str(found[0])


Handler = Callable[[Call], Awaitable[Response]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Operation:
    """A method of a path."""

    method: str
    path: str
    handle: Handler
    summary: str
    scope: callers.Scope | Literal["any"] | None
    """Scope that the token needs; `any`: a valid token, with scopes that the handler checks; None: no token."""
    answers: Mapping[int, tuple[str, Any]]
    """Status → description, and the type of the JSON document, a media type as text, or None for no body."""
    forms: tuple[str, ...] = ()
    """Further media types of the answer 200, which the request asks for."""
    body: Any = None
    """Type of the body; None: the operation takes no body."""
    body_schema: Mapping[str, Any] | None = None
    """JSON Schema of a body that the handler decodes by itself, in place of `body`."""
    max_bytes: int = MAX_BODY_BYTES
    parameters: tuple[Parameter, ...] = ()
    problems: tuple[str, ...] = field(default=())
    """Further kinds of problems."""


class Resource:
    """ASGI application of a path: the operation of each method.

    FastAPI's own handling of a request costs 60 µs more, mostly for dependencies that no operation has.
    """

    def __init__(self, service: "Service", path: str, operations: Iterable[Operation]) -> None:
        self.path = path
        self.methods = {each.method: _checked(service, each) for each in operations}
        if "GET" in self.methods:
            self.methods["HEAD"] = self.methods["GET"]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request (ASGI)."""
        answer = await self.methods[scope["method"]](Request(scope, receive))
        await answer(scope, receive, send)


def resources(service: "Service", operations: Iterable[Operation]) -> list[Resource]:
    """Return the resource of each path."""
    by_path: dict[str, list[Operation]] = {}
    for each in operations:
        by_path.setdefault(each.path, []).append(each)
    return [Resource(service, path, found) for path, found in by_path.items()]


class Exact:
    """ASGI application that finds paths without parameters at once, and leaves other paths to a router.

    Args:
        found: resources; the router has all of them, too.
        router: application for all other requests.
    """

    def __init__(self, found: Iterable[Resource], router: ASGIApp) -> None:
        self._by_path = {each.path: each for each in found if "{" not in each.path}
        self._router = router

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request (ASGI)."""
        resource = self._by_path.get(scope["path"])
        if resource is None or scope["method"] not in resource.methods:
            await self._router(scope, receive, send)
            return
        scope["endpoint"] = resource
        await resource(scope, receive, send)


def _checked(service: "Service", operation: Operation) -> Callable[[Request], Awaitable[Response]]:
    """Return the handler of an operation, behind the checks of token, rate and body."""
    handle, scope, max_bytes = operation.handle, operation.scope, operation.max_bytes
    decoder = None if operation.body is None else msgspec.json.Decoder(operation.body)
    known_callers, needed = service.callers, None if scope == "any" else scope
    has_body = decoder is not None or operation.body_schema is not None

    async def answer(request: Request) -> Response:
        caller = known_callers.open_to_all if scope is None else known_callers.permitted(request, needed)
        body: Any = None
        if has_body:
            body = await read_body(request, max_bytes)
            if decoder is not None:
                body = decoded(decoder, body)
        return await handle(Call(service, request, caller, body))

    return answer


def check_user_id(user_id: str) -> None:
    """Check a user id; ProblemError: it breaks the contract."""
    try:
        msgspec.convert(user_id, UserId)
    except msgspec.ValidationError:
        raise invalid("user", "A user id has 1 to 128 characters, none of them a control character.") from None


def not_configured(setting: str) -> ProblemError:
    """Return the error of a resource that needs a setting."""
    return ProblemError("not-configured", f"The operator has to set {setting}.")
