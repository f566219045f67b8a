"""Application of the service, as an ASGI application.

Each room of the service is a line in `GROUPS`: a function that gets the application and the shared parts, and adds
routes. An operation of the API belongs to `OPERATIONS`, as the OpenAPI document has it.
"""

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from importlib.metadata import version as installed_version

from fastapi import FastAPI
from fastapi.middleware.asyncexitstack import AsyncExitStackMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.routing import Route
from starlette.types import ASGIApp

from dataflows.settings import Settings
from tacit_service.api import (
    catalogue,
    changes,
    choices,
    context,
    events,
    explanations,
    health,
    history,
    links,
    managed,
    receipts,
    users,
)
from tacit_service.console import routes as console
from tacit_service.http.failures import Failures
from tacit_service.http.front import Front
from tacit_service.http.operations import Exact, Operation, resources
from tacit_service.openapi import document
from tacit_service.page import routes as page
from tacit_service.service import Service

OPERATIONS: tuple[tuple[Operation, ...], ...] = (
    choices.OPERATIONS,
    events.OPERATIONS,
    context.OPERATIONS,
    users.OPERATIONS,
    managed.OPERATIONS,
    history.OPERATIONS,
    receipts.OPERATIONS,
    explanations.OPERATIONS,
    changes.OPERATIONS,
    catalogue.OPERATIONS,
    links.OPERATIONS,
    health.OPERATIONS,
)
"""Operations of the API, a group per resource."""

GROUPS: tuple[Callable[[FastAPI, Service], None], ...] = (page.add_routes, console.add_routes)
"""Rooms with routes outside of the API: one line per room, such as `tacit_service.page.routes.add_routes`.

A room reads `service.links` for its sessions, and writes through `service.in_thread` with `service.write`.
"""


def make_app(settings: Settings) -> Front:
    """Return the application.

    Raises:
        ConfigurationError: a file of the settings cannot be read.
    """
    service = Service(settings)
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, lifespan=_lifespan(service))
    app.router.redirect_slashes = False
    app.openapi = lambda: document(operations(), version())  # type: ignore[method-assign]  # FastAPI documents this
    found = resources(service, operations())
    for each in found:
        app.router.routes.append(Route(each.path, each, methods=[*each.methods]))
    for add_routes in GROUPS:
        add_routes(app, service)
    routed: ASGIApp = Failures(Exact(found, AsyncExitStackMiddleware(app.router)))
    if settings.cors_origin:
        routed = CORSMiddleware(
            routed,
            allow_origins=settings.cors_origin,
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "Last-Event-ID", "X-Request-Id"],
            expose_headers=["RateLimit", "RateLimit-Policy", "Retry-After", "X-Request-Id"],
        )
    return Front(app, routed, service, logs=settings.log_level in {"debug", "info"})


def operations() -> list[Operation]:
    """Return all operations of the API."""
    return [operation for group in OPERATIONS for operation in group]


def version() -> str:
    """Return the version of the service."""
    return installed_version("tacit-worker")


def _lifespan(service: Service) -> Callable[[FastAPI], AbstractAsyncContextManager[None]]:
    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncIterator[None]:
        service.start()
        yield
        await service.stop()

    return lifespan
