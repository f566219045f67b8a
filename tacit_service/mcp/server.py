"""Tools and resources: read a user's context and the catalogue, and pass on the user's decisions.

No parameter takes a free text: facets, values and directions are names of the catalogue.
"""

from typing import Annotated, Any, Literal

import msgspec
from mcp.server.mcpserver import Context, MCPServer
from mcp.server.mcpserver.exceptions import ToolError
from mcp.server.mcpserver.resources.templates import ResourceSecurity
from mcp_types import ToolAnnotations
from pydantic import Field

from tacit import ActedOn, EventError, Turn
from tacit.contract.gates import Scope
from tacit.sender.identity import new_id
from tacit_service.mcp.api import Api, Document

INSTRUCTIONS = """\
Tacit learns how each user likes answers: their length, format, tone and more.
Read the context of the user before the first answer, and follow it.
If the user asks for another style for this answer ("shorter, please"), follow it, and call prefer with a direction.
If the user settles a style for good ("always use bullet points"), call prefer with a value.
Call consent and forget only after the user has clearly asked for it.
Never put words of the user into a parameter.
"""

_JSON = "application/json"
_ANY_ID = ResourceSecurity(reject_path_traversal=False, reject_absolute_paths=False)
"""User ids are opaque, and are no paths."""
_UNIT = "mcp"

User = Annotated[
    str | None, Field(description="User id. Leave it out if this server serves a single user.", max_length=128)
]
Facet = Annotated[str, Field(description="Facet of the catalogue, such as length.", max_length=40)]
Value = Annotated[
    str | None,
    Field(description="Value that the user wants from now on; 'none' removes the user's setting.", max_length=40),
]
Towards = Annotated[
    Literal["up", "down"] | None,
    Field(description="Direction from the answer that the user just got: down is shorter or simpler, up the opposite."),
]
Conversation = Annotated[
    str | None, Field(description="Id of the conversation, if the answer followed its choice.", max_length=256)
]
Topic = Annotated[str | None, Field(description="Topic of the catalogue.", max_length=40)]
Language = Annotated[str | None, Field(description="Language of labels and titles, such as de.", max_length=35)]
Surface = Annotated[str | None, Field(description="Surface of the catalogue.", max_length=40)]

_READS = ToolAnnotations(read_only_hint=True, open_world_hint=False)
_WRITES = ToolAnnotations(destructive_hint=False, idempotent_hint=False, open_world_hint=False)
_DELETES = ToolAnnotations(destructive_hint=True, idempotent_hint=True, open_world_hint=False)


class Tools:
    """Tools of one server.

    Args:
        api: the API of the service.
        region: region of the users.
        key: key of a server on stdio; None: each HTTP request brings a key.
        user: the only user of this server; None: each call names a user.
    """

    def __init__(self, api: Api, region: str, key: str | None, user: str | None) -> None:
        self._api = api
        self._region = region
        self._key = key
        self._user = user

    async def read_catalogue(self, ctx: Context, language: Language = None) -> Document:
        """Read the names of the deployment: facets with their values, topics, surfaces, and feedback."""
        return await self._api.catalogue(self._key_of(ctx), language)

    async def read_context(
        self,
        ctx: Context,
        user: User = None,
        conversation: Conversation = None,
        topic: Topic = None,
        surface: Surface = None,
    ) -> Document:
        """Read how the user likes answers: preferences, main topics and recency; `text` has the same in words."""
        query = {"unit": conversation, "topic": topic, "surface": surface}
        return await self._api.context(self._key_of(ctx), self._user_of(user), query)

    async def prefer(
        self,
        ctx: Context,
        facet: Facet,
        value: Value = None,
        direction: Towards = None,
        user: User = None,
        conversation: Conversation = None,
        topic: Topic = None,
        surface: Surface = None,
    ) -> Document:
        """Pass on how the user likes answers: a value for good, or a direction as feedback on the last answer."""
        if (value is None) == (direction is None):
            raise ToolError("Give either a value (for good) or a direction (feedback on the last answer).")
        key, user_id = self._key_of(ctx), self._user_of(user)
        if direction is None:
            return await self._api.pin(key, user_id, facet, None if value == "none" else value)
        catalogue = await self._api.catalogue(key)
        kind = _kind(catalogue, facet, direction)
        request = {"user": user_id, "unit": conversation or _UNIT, "topic": topic, "surface": surface}
        choice = await self._api.choice(key, request | {"explore": conversation is not None})
        served = choice["values"].get(facet)
        if served == _end(catalogue, facet, direction):
            raise ToolError(f"{facet} is {served}, and no value lies further {direction}. Nothing was sent.")
        followed = [ActedOn(**each) for each in choice["acted_on"] if each["facet"] == facet]
        turn = Turn(
            user_id,
            self._region,
            new_id(),
            {} if served is None else {facet: served},
            tuple(followed) if conversation else (),
            topic=topic,
            surface=surface,
        )
        try:
            event = turn.feedback(kind, facets=[facet])
        except EventError as error:
            raise ToolError(str(error)) from None
        await self._api.send(key, event)
        return {"feedback": kind, "facet": facet, "served": served, "event_id": event.event_id}

    async def consent(
        self,
        ctx: Context,
        granted: Annotated[bool, Field(description="The user's answer.")],
        scopes: Annotated[
            list[Scope] | None,
            Field(description="learn from feedback, use it in answers, explore other values; without it: all."),
        ] = None,
        user: User = None,
    ) -> Document:
        """Pass on that the user agrees, or does not agree any more. Ask the user first."""
        body: Document = {"granted": granted} | ({} if scopes is None else {"scopes": scopes})
        return await self._api.consent(self._key_of(ctx), self._user_of(user), body)

    async def forget(
        self,
        ctx: Context,
        confirm: Annotated[bool, Field(description="True once the user has confirmed the deletion.")],
        facet: Annotated[str | None, Field(description="Facet to forget; without it: everything.")] = None,
        user: User = None,
    ) -> Document:
        """Delete the learned preferences of the user. No undo exists: ask the user to confirm."""
        if not confirm:
            raise ToolError("Nothing was deleted. Ask the user to confirm, then call forget with confirm=true.")
        return await self._api.forget(self._key_of(ctx), self._user_of(user), facet)

    def _user_of(self, user: str | None) -> str:
        if self._user is None:
            if not user:
                raise ToolError("user: is required; name the user id.")
            return user
        if user not in (None, self._user):
            raise ToolError("user: this server serves a single user; leave it out.")
        return self._user

    def _key_of(self, ctx: Context) -> str:
        if self._key is not None:
            return self._key
        request: Any = ctx.request_context.request
        return bearer(request.headers.get("authorization", ""))


def make_server(api: Api, *, region: str, key: str | None, user: str | None, version: str) -> MCPServer:
    """Return the server; arguments as of `Tools`."""
    server = MCPServer("tacit", "Tacit", instructions=INSTRUCTIONS, version=version, log_level="CRITICAL")
    tools = Tools(api, region, key, user)
    server.tool(annotations=_READS)(tools.read_catalogue)
    server.tool(annotations=_READS)(tools.read_context)
    server.tool(annotations=_WRITES)(tools.prefer)
    server.tool(annotations=_WRITES)(tools.consent)
    server.tool(annotations=_DELETES)(tools.forget)

    @server.resource("tacit://catalogue{?language}", mime_type=_JSON, title="Catalogue")
    async def catalogue(ctx: Context, language: str | None = None) -> str:
        """Facets with their values, topics, surfaces, and feedback."""
        return _text(await tools.read_catalogue(ctx, language))

    @server.resource("tacit://context{?user,topic,surface}", mime_type=_JSON, title="Context", security=_ANY_ID)
    async def context(
        ctx: Context, user: str | None = None, topic: str | None = None, surface: str | None = None
    ) -> str:
        """Preferences, main topics and recency of a user, as data."""
        return _text(await tools.read_context(ctx, user, topic=topic, surface=surface))

    @server.resource("tacit://description{?user,topic,surface}", title="Description", security=_ANY_ID)
    async def description(
        ctx: Context, user: str | None = None, topic: str | None = None, surface: str | None = None
    ) -> str:
        """Context of a user in words, for a system prompt."""
        return str((await tools.read_context(ctx, user, topic=topic, surface=surface))["text"])

    return server


def bearer(header: str) -> str:
    """Return the key in a header `Authorization`; empty without one."""
    scheme, _, key = header.partition(" ")
    return key.strip() if scheme.lower() == "bearer" else ""


def _text(document: Document) -> str:
    return msgspec.json.encode(document).decode()


def _kind(catalogue: Document, facet: str, direction: str) -> str:
    """Return the feedback kind that moves a facet in a direction."""
    for each in catalogue["directed"]:
        if (each["facet"], each["direction"]) == (facet, direction):
            return str(each["feedback"])
    allowed = sorted({f"{each['facet']} {each['direction']}" for each in catalogue["directed"]})
    raise ToolError(
        f"No feedback moves this facet {direction}; allowed are {', '.join(allowed)}. Give a value instead."
    )


def _end(catalogue: Document, facet: str, direction: str) -> str:
    [values] = [each["values"] for each in catalogue["facets"] if each["facet"] == facet]
    return str(values[0 if direction == "down" else -1]["value"])
