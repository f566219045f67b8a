"""Command `tacit mcp`."""

from importlib.metadata import version
from typing import Annotated

import typer

from dataflows.service_settings import SERVICE
from tacit.errors import ConfigurationError
from tacit_cli.command import command, new_app
from tacit_cli.invocation import Invocation

app = new_app()

Http = Annotated[
    str | None,
    typer.Option(
        "--http", metavar="HOST:PORT", help="Serve streamable HTTP at this address, path /mcp.", show_default="stdio",
        rich_help_panel=SERVICE,
    ),
]  # fmt: skip
User = Annotated[
    str | None,
    typer.Option("--user", metavar="USER_ID", help="The only user of this server.", show_default="each call names one",
                 rich_help_panel=SERVICE),
]  # fmt: skip


@command(
    app,
    "TACIT_SERVICE_KEY=tk_… tacit mcp --user ada",
    "tacit mcp --http 127.0.0.1:8081 --service-url https://tacit.internal",
    settings=("service_url", "service_key", "region"),
    has_result=False,
)
def mcp(invocation: Invocation, http: Http = None, user: User = None) -> None:
    """Let a model read a user's context and pass on decisions (MCP).

    The server of the Model Context Protocol (MCP) calls a running service, so its scopes, rates and audit hold. On
    stdio, TACIT_SERVICE_KEY has the key; over HTTP, each request brings its own as Authorization: Bearer KEY. The scope
    `choose` reads, `send` passes on feedback, and `manage` settings, consent and forgets.
    """
    settings = invocation.settings(needs_secret=False)
    if http is None and not settings.service_key:
        raise ConfigurationError(["service_key: is required on stdio; set TACIT_SERVICE_KEY, made by tacit token"])
    from tacit_service.mcp.api import Api  # the protocol's package takes a second
    from tacit_service.mcp.server import make_server
    from tacit_service.mcp.transports import run_http, run_stdio

    key = settings.service_key if http is None else None
    server = make_server(
        Api(settings.service_url), region=settings.region, key=key, user=user, version=version("tacit-worker")
    )
    if http is None:
        run_stdio(server)
    else:
        run_http(server, _address(http))


def _address(text: str) -> str:
    host, _, port = text.rpartition(":")
    if not host or not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ConfigurationError(["http: must be HOST:PORT with a port from 1 to 65535"])
    return text
