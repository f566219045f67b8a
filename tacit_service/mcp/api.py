"""HTTP API of a running service, as the tools use it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

import httpx2
import msgspec
from mcp.server.mcpserver.exceptions import ToolError

from tacit import Interaction
from tacit.contract.events import encode_event
from tacit_service.http.problems import Problem

TIMEOUT_S = 15.0
WAIT_S = 1
"""Longest wait for the effect of an action."""

Document = dict[str, Any]


class Api:
    """Client of the API for the tasks of one event loop.

    Args:
        url: address of the service.
    """

    def __init__(self, url: str) -> None:
        # Environment variables of proxies do not count: the key is for the service alone.
        self._http = httpx2.AsyncClient(base_url=url.rstrip("/"), timeout=TIMEOUT_S, trust_env=False)

    async def catalogue(self, key: str, language: str | None = None) -> Document:
        """Return the catalogue, with labels in a language."""
        return await self._call(key, "GET", "/v1/catalogue", query={"language": language})

    async def context(self, key: str, user: str, query: Mapping[str, str | None]) -> Document:
        """Return the context that an assistant may reason with."""
        return await self._call(key, "GET", f"/v1/context/{_segment(user)}", query=query)

    async def choice(self, key: str, body: Document) -> Document:
        """Return the style of a conversation."""
        return await self._call(key, "POST", "/v1/choices", body=msgspec.json.encode(body))

    async def send(self, key: str, event: Interaction) -> None:
        """Send feedback; ToolError if the service rejects the event."""
        found = await self._call(key, "POST", "/v1/events", body=encode_event(event))
        [outcome] = found["outcomes"]
        if outcome["outcome"] != "accepted":
            raise ToolError(f"The feedback was not taken: {outcome.get('reason')} {outcome.get('detail', '')}".rstrip())

    async def pin(self, key: str, user: str, facet: str, value: str | None) -> Document:
        """Set a facet; None removes the setting."""
        path = f"/v1/users/{_segment(user)}/pins/{_segment(facet)}"
        if value is None:
            return await self._act(key, "DELETE", path)
        return await self._act(key, "PUT", path, {"value": value})

    async def consent(self, key: str, user: str, body: Document) -> Document:
        """Grant or withdraw consent."""
        return await self._act(key, "PUT", f"/v1/users/{_segment(user)}/consent", body)

    async def forget(self, key: str, user: str, facet: str | None) -> Document:
        """Forget a facet; None: the user."""
        path = f"/v1/users/{_segment(user)}"
        return await self._act(key, "DELETE", path if facet is None else f"{path}/facets/{_segment(facet)}")

    async def _act(self, key: str, method: str, path: str, body: Document | None = None) -> Document:
        data = None if body is None else msgspec.json.encode(body)
        return await self._call(key, method, path, query={"wait": str(WAIT_S)}, body=data)

    async def _call(
        self,
        key: str,
        method: str,
        path: str,
        *,
        query: Mapping[str, str | None] | None = None,
        body: bytes | None = None,
    ) -> Document:
        """Return the document of an answer.

        Raises:
            ToolError: the service does not answer, or refuses the request; the text names no user.
        """
        given = {name: value for name, value in (query or {}).items() if value is not None}
        headers = {"Authorization": f"Bearer {key}"} | ({} if body is None else {"Content-Type": "application/json"})
        try:
            response = await self._http.request(method, path, params=given, content=body, headers=headers)
            if response.status_code < 400:
                return msgspec.json.decode(response.content, type=Document)
        except httpx2.HTTPError as error:
            raise ToolError(f"The service does not answer ({type(error).__name__}). Try again later.") from None
        except (msgspec.MsgspecError, UnicodeDecodeError):
            raise ToolError("The service answers without JSON. Check --service-url.") from None
        raise ToolError(_explained(response))


def _segment(text: str) -> str:
    """Return a name as one part of a path; clients and proxies would resolve dots, and so reach another resource."""
    if text in {"", ".", ".."}:
        raise ToolError('An empty name, "." and ".." cannot be a part of an address.')
    return quote(text, safe="")


def _explained(response: httpx2.Response) -> str:
    try:
        problem = msgspec.json.decode(response.content, type=Problem)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return f"The service answers with status {response.status_code}."
    members = [f"{each.pointer}: {each.detail}" for each in problem.errors]
    return " ".join([f"{problem.title}.", problem.detail, *members])
