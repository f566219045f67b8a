"""Operations of the API: path, scope, body and answers of each, and the checks before its handler.

A resource is a list of operations. Each has a function of a `Call` that returns the answer.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple
from urllib.parse import parse_qs, unquote

import msgspec
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from tacit.contract.events import UserId
from tacit_service.access.callers import Caller, Scope
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
    """A request of a caller who may make it."""

    service: "Service"
    request: Request
    caller: Caller
    body: Any = None
    """Document of the operation's type; bytes for an operation that decodes them by itself."""

    @property
    def user_id(self) -> str:
        """User id in the path.

        Raises:
            ProblemError: it breaks the contract.
        """
        try:
            user_id = unquote(self.request.path_params["user"], errors="strict")
            msgspec.convert(user_id, UserId)
        except (UnicodeDecodeError, msgspec.ValidationError):
            raise invalid("user", "A user id has 1 to 128 characters, none of them a control character.") from None
        return user_id

    def path(self, name: str) -> str:
        """Return a part of the path; an unreadable one names nothing that exists."""
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
    """One method of one path."""

    method: str
    path: str
    handle: Handler
    summary: str
    scope: Scope | Literal["any"] | None
    """Scope that the token needs; `any`: a valid token, whose scopes the handler checks; None: no token."""
    answers: Mapping[int, tuple[str, Any]]
    """Status → description, and the type of the JSON document, a media type as text, or None for no body."""
    body: Any = None
    """Type of the body; None: the operation takes none."""
    body_schema: Mapping[str, Any] | None = None
    """JSON Schema of a body that the handler decodes by itself, in place of `body`."""
    max_bytes: int = MAX_BODY_BYTES
    parameters: tuple[Parameter, ...] = ()
    problems: tuple[str, ...] = field(default=())
    """Further kinds of problems."""


def add_operations(app: FastAPI, service: "Service", operations: Iterable[Operation]) -> None:
    """Add operations to an application."""
    for operation in operations:
        app.add_api_route(
            operation.path,
            _endpoint(service, operation),
            methods=[operation.method],
            summary=operation.summary,
            operation_id=operation.handle.__name__,
            openapi_extra={"x-operation": operation},
            response_class=Response,
        )


def _endpoint(service: "Service", operation: Operation) -> Callable[[Request], Awaitable[Response]]:
    handle, scope, max_bytes = operation.handle, operation.scope, operation.max_bytes
    decoder = None if operation.body is None else msgspec.json.Decoder(operation.body)
    callers, needed = service.callers, None if scope == "any" else scope
    has_body = decoder is not None or operation.body_schema is not None

    async def endpoint(request: Request) -> Response:
        caller = callers.open_to_all if scope is None else callers.permitted(request, needed)
        body: Any = None
        if has_body:
            body = await read_body(request, max_bytes)
            if decoder is not None:
                body = decoded(decoder, body)
        return await handle(Call(service, request, caller, body))

    return endpoint


def not_configured(setting: str) -> ProblemError:
    """Return the error of a resource that needs a setting."""
    return ProblemError("not-configured", f"The operator has to set {setting}.")
