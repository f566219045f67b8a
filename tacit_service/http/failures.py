"""Errors of all routes, as problem details; and a log line for an error without a kind of its own."""

import structlog
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tacit_service.http.bodies import DisconnectedError
from tacit_service.http.front import template
from tacit_service.http.problems import ProblemError

_LOG = structlog.get_logger("service")
_MAX_PATH = 2048


class Failures:
    """ASGI application that answers errors of another."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request (ASGI)."""
        has_begun = False

        async def watched(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            if len(scope["path"]) > _MAX_PATH:
                raise ProblemError("not-found", "The path is too long.")
            await self._app(scope, receive, watched)
        except DisconnectedError:
            problem = ProblemError("invalid-request", "The body ends early.")  # for a client that is still there
            await problem.answer(scope["tacit.request_id"])(scope, receive, send)
        except Exception as error:
            problem = error if isinstance(error, ProblemError) else _problem_of(error, scope)
            if not has_begun:
                await problem.answer(scope["tacit.request_id"])(scope, receive, send)


def _problem_of(error: Exception, scope: Scope) -> ProblemError:
    if isinstance(error, HTTPException) and error.status_code == 404:
        return ProblemError("not-found", "The path is not one of this service.")
    if isinstance(error, HTTPException) and error.status_code == 405:
        return ProblemError("method-not-allowed", "Use a method that Allow names.", headers=error.headers)
    _LOG.error(
        "request.failed",
        route=template(scope),
        error=type(error).__name__,  # its text may have a value of the request
        request_id=scope["tacit.request_id"],
        stack=_stack(error),
    )
    return ProblemError("internal", "The log of the service has the cause under the request id.")


def _stack(error: Exception) -> list[str]:
    """Return file, line and function of each frame, without values."""
    found = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        found.append(f"{code.co_filename.rpartition('/')[2]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return found
