"""Routes of the page. A user comes by a link of the assistant, and a cookie keeps the session.

Of the static files, `htmx.min.js` is htmx 4.0.1, unchanged, under the Zero-Clause BSD licence: `npm pack htmx.org` has
a newer one.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from time import time_ns
from typing import Any, Literal
from urllib.parse import urlencode, urlsplit

import msgspec
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response

from dataflows.control.export_page import page as export_page
from dataflows.control.why import why as explain
from tacit.contract.names import Names
from tacit_service import actions
from tacit_service.access.callers import PAGE_USER
from tacit_service.access.links import Links, Visitor
from tacit_service.api.explanations import export_of, from_state
from tacit_service.api.receipts import find
from tacit_service.http.answers import JSON, Answer, encode
from tacit_service.http.html import HTML, add_files, html_answer, redirect
from tacit_service.http.operations import not_configured
from tacit_service.http.problems import KINDS, ProblemError
from tacit_service.page import messages
from tacit_service.page.acts import ACTS, WAIT_S, perform
from tacit_service.page.form_token import FormTokens
from tacit_service.page.language import Language, Languages
from tacit_service.page.messages import Confirmation, Note
from tacit_service.page.reading import read_facts
from tacit_service.page.receipt_view import receipt_view
from tacit_service.page.rendering import Templates
from tacit_service.page.view import view
from tacit_service.page.visits import COOKIE, ForeignFormError, NoSessionError, Visit, cookie, read_form
from tacit_service.page.why_view import why_view
from tacit_service.service import Service

_RELOAD_S = 2
"""Time after which the page of a receipt that is being made loads again."""

Handle = Callable[[Visit], Awaitable[Answer]]


def add_routes(app: FastAPI, service: Service) -> None:
    """Add the routes of pages and files."""
    pages = Pages(service)
    for path, handle in pages.reads.items():
        app.add_api_route(path, pages.endpoint(handle), methods=["GET"], response_class=Response)
    for path, handle in pages.writes.items():
        app.add_api_route(path, pages.endpoint(handle), methods=["POST"], response_class=Response)
    add_files(app, "/page/static", Path(__file__).with_name("static"))


class Pages:
    """Pages of a service.

    Args:
        service: shared parts.
    """

    def __init__(self, service: Service) -> None:
        self._service = service
        self._languages = Languages()
        self._templates = Templates(self._languages)
        self._tokens = FormTokens(service.settings.link_secret or "")
        public = urlsplit(service.public_url)
        self._public_host, self._is_secure = public.netloc, public.scheme == "https"
        stop = {"scope": "learn", "granted": "no"}
        self.reads: Mapping[str, Handle] = {
            "/page": self._page,
            "/page/stop-learning": partial(self._confirm, messages.stop_learning, "consent", stop),
            "/page/delete": partial(self._confirm, messages.delete_everything, "delete", {}),
            "/page/why/{facet}": self._why,
            "/page/export.json": partial(self._download, "json"),
            "/page/export.html": partial(self._download, "html"),
            "/page/receipt/{number}": self._receipt,
        }
        """Path → handler of GET."""
        self.writes: Mapping[str, Handle] = {
            "/page/delete": self._delete,
            **{f"/page/{name}": partial(self._act, name) for name in ACTS},
        }
        """Path → handler of POST."""

    @property
    def _links(self) -> Links:
        if self._service.links is None:
            raise not_configured("TACIT_LINK_SECRET")
        return self._service.links

    def endpoint(self, handle: Handle) -> Callable[[Request], Awaitable[Response]]:
        """Return the endpoint of a handler, which renews the session, and answers errors as pages."""

        async def endpoint(request: Request) -> Response:
            visit = self._visit(request)
            try:
                answer = await handle(visit)
            except NoSessionError:
                answer = self._note(visit, 401, messages.session_over)
            except ForeignFormError:
                answer = self._note(visit, 403, messages.not_permitted)
            except ProblemError as problem:
                note = _NOTES.get(problem.kind, messages.unavailable)
                answer = self._note(visit, KINDS[problem.kind].status, note, problem.headers)
            if visit.visitor is not None and b"set-cookie" not in dict(answer.raw_headers):
                answer.raw_headers.append((b"set-cookie", self._cookie(visit.visitor).encode()))
            return answer

        return endpoint

    def _visit(self, request: Request) -> Visit:
        links = self._service.links
        visitor = None if links is None else links.read_session(request.cookies.get(COOKIE, ""))
        wanted, accepted = visitor and visitor.language, request.headers.get("accept-language", "")
        return Visit(request, visitor, self._languages.chosen(wanted, accept=accepted))

    async def _page(self, visit: Visit) -> Answer:
        query = visit.request.query_params
        if (token := query.get("link")) is not None:
            return self._opened(visit, token)
        if (language := self._languages.get(query.get("language"))) is not None:
            header = self._cookie(Visitor(visit.user_id, language.code))
            return redirect("/page", {"Set-Cookie": header})
        self._count(visit)
        message = messages.outcome(query.get("outcome", ""), visit.language)
        return await self._main(visit, "page.html", message)

    def _opened(self, visit: Visit, token: str) -> Answer:
        """Answer a link with a session, and with a page that opens the main page.

        A redirect would lack the cookie: for a browser, a user who comes from an assistant's page stays on a
        request of another site until the first page is shown.
        """
        visitor = self._links.read_link(token)
        if visitor is None:
            return self._note(visit, 401, messages.session_over)
        language = self._languages.chosen(visitor.language, visit.language.code)
        opened = Visit(visit.request, None, language)
        headers = {"Set-Cookie": self._cookie(visitor)}
        return self._note(opened, 200, messages.opening, headers, reload="0; url=/page")

    async def _act(self, name: str, visit: Visit) -> Answer:
        form = await read_form(visit, self._tokens, self._public_host)
        act = await perform(self._service, visit.user_id, name, form)
        if visit.is_fragment:
            message = messages.outcome(act.outcome, visit.language)
            return await self._main(visit, "fragment.html", message, act.focus)
        return redirect(f"/page?{urlencode({'outcome': act.outcome})}")

    async def _main(self, visit: Visit, template: str, message: str, focus: str = "") -> Answer:
        facts = await read_facts(self._service, visit.user_id, visit.language)
        return self._answer(
            visit,
            200,
            template,
            view=view(facts),
            token=self._tokens.token(visit.user_id),
            message=message,
            focus=focus,
            can_export=self._service.settings.state is not None,
        )

    async def _confirm(
        self, text: Callable[[Language], Confirmation], action: str, values: Mapping[str, str], visit: Visit
    ) -> Answer:
        token = self._tokens.token(visit.user_id)
        return self._answer(
            visit, 200, "confirm.html", text=text(visit.language), action=action, values=values, token=token
        )

    async def _delete(self, visit: Visit) -> Answer:
        await read_form(visit, self._tokens, self._public_host)
        self._count(visit)
        done = await actions.forget(self._service, PAGE_USER, visit.user_id, WAIT_S)
        if done.receipt is None:
            return self._note(visit, 200, messages.deleted)
        return redirect(f"/page/receipt/{done.receipt}")

    async def _receipt(self, visit: Visit) -> Answer:
        number, user = visit.request.path_params["number"], self._service.pseudonym(visit.user_id)
        self._count(visit)
        if self._service.pending.has(number, user):
            return self._note(visit, 200, messages.receipt_pending, reload=str(_RELOAD_S))
        receipt = receipt_view(await find(self._service, number, user), time_ns() // 1_000_000, visit.language)
        return self._answer(visit, 200, "receipt.html", receipt=receipt)

    async def _why(self, visit: Visit) -> Answer:
        facet, user = visit.request.path_params["facet"], self._service.pseudonym(visit.user_id)
        self._count(visit)
        if facet not in self._service.catalogue.facets:
            raise ProblemError("not-found", "The catalogue has no such facet.")
        try:
            found = await from_state(
                self._service, PAGE_USER, user, lambda used, folder: explain(used, folder, user, facet)
            )
        except ProblemError as problem:
            return self._nothing_held(visit, problem)
        names = Names.of(self._service.catalogue, visit.language.code)
        shown = why_view(found.facets[0], names, visit.language, time_ns() // 1_000_000)
        return self._answer(visit, 200, "why.html", why=shown)

    async def _download(self, form: Literal["json", "html"], visit: Visit) -> Answer:
        self._count(visit)
        try:
            found = await export_of(self._service, PAGE_USER, visit.user_id)
        except ProblemError as problem:
            return self._nothing_held(visit, problem)
        data = export_page(found).encode() if form == "html" else msgspec.json.format(encode(found))
        headers = {"Content-Disposition": f'attachment; filename="my-data.{form}"'}
        return Answer(200, data, HTML if form == "html" else JSON, headers)

    def _count(self, visit: Visit) -> None:
        """Count a request of the user; ProblemError if there are too many."""
        self._service.count_user(self._service.pseudonym(visit.user_id))

    def _nothing_held(self, visit: Visit, problem: ProblemError) -> Answer:
        """Answer a read of the state that failed."""
        if problem.kind != "not-found":
            raise problem
        return self._note(visit, 404, messages.nothing_held)

    def _note(
        self,
        visit: Visit,
        status: int,
        text: Callable[[Language], Note],
        headers: Mapping[str, str] | None = None,
        reload: str = "",
    ) -> Answer:
        more = {**(headers or {}), "HX-Redirect": "/page"} if visit.is_fragment else headers
        return self._answer(visit, status, "note.html", more, text=text(visit.language), reload=reload)

    def _answer(
        self, visit: Visit, status: int, template: str, headers: Mapping[str, str] | None = None, **values: Any
    ) -> Answer:
        shown = {"has_session": visit.visitor is not None, "message": "", "reload": "", **values}
        data = self._templates.render(template, visit.language, **shown)
        return html_answer(status, data, headers)

    def _cookie(self, visitor: Visitor) -> str:
        return cookie(self._links, visitor, is_secure=self._is_secure)


_NOTES: Mapping[str, Callable[[Language], Note]] = {
    "not-configured": messages.not_offered,
    "not-found": messages.not_found,
    "too-many-requests": messages.too_fast,
}
"""Kind of a problem → page."""
