"""Clients of `tacit mcp`: the library of the protocol, over stdio and over streamable HTTP."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx2
from mcp import Client, StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent, TextResourceContents

from tests.support.commands import TACIT, environment, running
from tests.support.ports import free_port

Result = TypeVar("Result")


class Tools:
    """Calls of one client."""

    def __init__(self, client: Client) -> None:
        self.client = client

    async def call(self, tool: str, **arguments: Any) -> dict[str, Any]:
        """Return the document of a tool that succeeds."""
        found = await self.client.call_tool(tool, arguments)
        assert not found.is_error, found.content
        assert isinstance(found.structured_content, dict)
        return found.structured_content

    async def refusal(self, tool: str, **arguments: Any) -> str:
        """Return the text of a tool that fails."""
        found = await self.client.call_tool(tool, arguments)
        assert found.is_error, found.content
        [content] = found.content
        assert isinstance(content, TextContent)
        return content.text

    async def read(self, uri: str) -> str:
        """Return the text of a resource."""
        [content] = (await self.client.read_resource(uri)).contents
        assert isinstance(content, TextResourceContents)
        return content.text


def on_stdio(url: str, key: str, log: Path, use: Callable[[Tools], Awaitable[Result]], *words: str) -> Result:
    """Start `tacit mcp` for a service, use its tools, and append its stderr to a log."""

    async def run() -> Result:
        variables = environment() | {"TACIT_SERVICE_KEY": key, "TACIT_SERVICE_URL": url}
        server = StdioServerParameters(command=str(TACIT), args=["mcp", *words], env=variables)
        with log.open("a") as errors:
            async with Client(stdio_client(server, errors)) as client:
                return await use(Tools(client))

    return asyncio.run(run())


@contextmanager
def over_http(url: str, folder: Path) -> Iterator[str]:
    """Run `tacit mcp --http` for a service, and yield its address."""
    port = free_port()
    address = f"http://127.0.0.1:{port}/mcp"
    words = ["mcp", "--http", f"127.0.0.1:{port}", "--service-url", url]
    with running(words, folder / "mcp.log") as run:
        run.wait_for(lambda: status(address) == 401, "an answer of the server")
        yield address


def status(address: str) -> int:
    """Return the status of a request without a key; 0: the server does not answer."""
    try:
        return httpx2.post(address, json={}).status_code
    except httpx2.TransportError:
        return 0


@asynccontextmanager
async def with_key(address: str, key: str) -> AsyncIterator[Tools]:
    """Give the tools of a client with a key."""
    headers = {"Authorization": f"Bearer {key}"}
    async with (
        httpx2.AsyncClient(headers=headers, timeout=30) as http,
        Client(streamable_http_client(address, http_client=http)) as client,
    ):
        yield Tools(client)
