"""Routes of the console."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from tacit_service.access.callers import Caller
from tacit_service.console.charts import LEARNING, MEASURES, PARITY, SERVICE, STREAM
from tacit_service.console.figures import FigureReader
from tacit_service.console.history import History
from tacit_service.console.polling import Poller
from tacit_service.console.prometheus import SPANS, Prometheus, Span
from tacit_service.console.sessions import Sessions
from tacit_service.console.status import StatusReader
from tacit_service.console.texts import FILTERS
from tacit_service.console.user_view import view_user
from tacit_service.http.answers import JSON, Answer
from tacit_service.http.forms import origin_host, read_fields
from tacit_service.http.html import add_files, html_answer, redirect, templates
from tacit_service.http.problems import KINDS, ProblemError, invalid
from tacit_service.service import Service

FOLDER = Path(__file__).parent
LOGIN = "/console/login"
MAX_FORM_BYTES = 10_000

_HEADERS = {
    "Referrer-Policy": "same-origin",  # a form without a referrer would have no origin, and no address has a secret
}

Handle = Callable[[Request, Caller], Awaitable[Answer]]


def add_routes(app: FastAPI, service: Service) -> None:
    """Add the routes of the console, and start its look at the workers with the service."""
    console = Console(service)
    service.run_along(console.poller.run)
    add_files(app, "/console/static", FOLDER / "static")
    app.add_api_route(LOGIN, console.login_page, methods=["GET"], response_class=Response)
    app.add_api_route(LOGIN, console.login, methods=["POST"], response_class=Response)
    app.add_api_route("/console/logout", console.logout, methods=["POST"], response_class=Response)
    for method, path, handle in console.pages:
        app.add_api_route(path, console.page(handle), methods=[method], response_class=Response)
    for path, handle in console.parts.items():
        app.add_api_route(path, console.part(handle), methods=["GET"], response_class=Response)


class Console:
    """Pages of a service.

    Args:
        service: shared parts.
    """

    def __init__(self, service: Service) -> None:
        settings = service.settings
        public = urlsplit(service.public_url)
        self._service = service
        self._public_host = public.netloc
        self._sessions = Sessions(service, is_secure=public.scheme == "https")
        self._templates = templates(FOLDER / "templates")
        self._templates.filters |= FILTERS
        history = History(MEASURES)
        prometheus = None if settings.prometheus is None else Prometheus(settings.prometheus, MEASURES)
        self.poller = Poller(service, history)
        self._figures = FigureReader(service, history, prometheus)
        self._status = StatusReader(service, self.poller, prometheus)
        self._spans: tuple[Span, ...] = ("hour",) if prometheus is None else tuple(SPANS)
        learning = LEARNING if prometheus is None else LEARNING._replace(charts=(*LEARNING.charts, PARITY))
        self._sections = (STREAM, learning, SERVICE)
        self.pages: tuple[tuple[str, str, Handle], ...] = (
            ("GET", "/console", self._overview),
            ("GET", "/console/user", self._search),
            ("POST", "/console/user", self._user),
        )
        """Method, path and handler of pages of a session."""
        self.parts: Mapping[str, Handle] = {
            "/console/status": self._status_part,
            "/console/figures": self._figures_part,
        }
        """Path → handler of parts that the script of a page asks for."""

    def page(self, handle: Handle) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint of a page: without a session it leads to the login, and errors are pages."""

        async def endpoint(request: Request) -> Response:
            try:
                caller = self._sessions.operator(request)
            except ProblemError as problem:
                return self._note(problem) if problem.kind == "too-many-requests" else redirect(LOGIN)
            try:
                return await handle(request, caller)
            except ProblemError as problem:
                return self._note(problem, caller)

        return endpoint

    def part(self, handle: Handle) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint of a part of a page; its errors are problem details."""

        async def endpoint(request: Request) -> Response:
            return await handle(request, self._sessions.operator(request))

        return endpoint

    async def login_page(self) -> Response:
        """Return the form of the login."""
        return self._answer(200, "login.html", problem="")

    async def login(self, request: Request) -> Response:
        """Start a session."""
        try:
            form = await self._form(request)
            cookie = self._sessions.login(request, form.get("key", "").strip())
        except ProblemError as problem:
            status = KINDS[problem.kind].status
            return self._answer(status, "login.html", headers=problem.headers, problem=problem.detail)
        return redirect("/console", {"Set-Cookie": cookie})

    async def logout(self, request: Request) -> Response:
        """End a session."""
        try:
            await self._form(request)
        except ProblemError as problem:
            return self._note(problem)
        return redirect(LOGIN, {"Set-Cookie": self._sessions.logout()})

    async def _overview(self, request: Request, caller: Caller) -> Answer:
        return self._answer(
            200,
            "overview.html",
            caller=caller,
            status=await self._status.read(),
            sections=self._sections,
            span=self._span(request),
            spans=self._spans,
        )

    async def _status_part(self, _request: Request, _caller: Caller) -> Answer:
        return self._answer(200, "status.html", status=await self._status.read())

    async def _figures_part(self, request: Request, _caller: Caller) -> Answer:
        return Answer(200, await self._figures.read(self._span(request)), JSON)

    async def _search(self, _request: Request, caller: Caller) -> Answer:
        return self._answer(200, "user.html", caller=caller, view=None, problem="")

    async def _user(self, request: Request, caller: Caller) -> Answer:
        form = await self._form(request)
        try:
            view = await view_user(self._service, caller, form.get("user", ""))
        except ProblemError as problem:
            status, text = KINDS[problem.kind].status, _text(problem)
            return self._answer(status, "user.html", headers=problem.headers, caller=caller, view=None, problem=text)
        return self._answer(200, "user.html", caller=caller, view=view, problem="")

    async def _form(self, request: Request) -> Mapping[str, str]:
        """Return the fields of a form; ProblemError: it cannot be read, or comes from a page of another origin."""
        origin = origin_host(request)
        if origin not in {self._public_host, request.headers.get("host")} or not origin:
            raise ProblemError("forbidden", "The form comes from a page of another origin.")
        try:
            return await read_fields(request, MAX_FORM_BYTES)
        except ValueError:
            raise ProblemError("invalid-request", "The form cannot be read.") from None

    def _span(self, request: Request) -> Span:
        span = request.query_params.get("span", "hour")
        if span not in self._spans:
            raise invalid("span", f"Allowed are {', '.join(self._spans)}.")
        return span

    def _note(self, problem: ProblemError, caller: Caller | None = None) -> Answer:
        kind = KINDS[problem.kind]
        return self._answer(
            kind.status, "note.html", headers=problem.headers, caller=caller, title=kind.title, text=_text(problem)
        )

    def _answer(
        self, code: int, template: str, /, *, headers: Mapping[str, str] | None = None, **values: Any
    ) -> Answer:
        document = self._templates.get_template(template).render({"caller": None, **values})
        return html_answer(code, document.encode(), {**_HEADERS, **(headers or {})})


def _text(problem: ProblemError) -> str:
    return " ".join(error.detail for error in problem.errors) or problem.detail
