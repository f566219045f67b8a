"""HTTP server of the service: granian in this process, until SIGTERM or Ctrl-C."""

import asyncio
import os
import signal
import socket
from typing import Any

import uvloop
from granian._granian import ListenerSpec
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from tacit.errors import ConfigurationError
from tacit_service.http.front import Front

HEADER_MS = 30_000
"""Time limit for the arrival of a request's headers, which an idle connection has, too: clients keep connections."""
UNREAD_MS = 30_000
"""Time limit for a client to take bytes of an answer: a silent client loses the connection."""
BACKPRESSURE = 65_536
"""Most requests at work; further ones wait in their connections."""


def serve(app: Front, address: str) -> None:
    """Serve an application until a signal.

    Raises:
        ConfigurationError: the address cannot be bound.
    """
    host, _, port = address.rpartition(":")
    uvloop.run(_serve(app, host.strip("[]"), int(port)))


class _Server(Server):
    """Server that ends connections of clients that do not read."""

    def _init_shared_socket(self) -> None:
        held: Any = ListenerSpec(self.bind_addr, self.bind_port, self.backlog).build()  # as outside of Linux
        self._shd, self._sfd = held, held.get_fd()
        with socket.socket(fileno=os.dup(held.get_fd())) as listener:  # connections take the options of their listener
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)


async def _serve(app: Front, host: str, port: int) -> None:
    server = _Server(
        app,
        address=host,
        port=port,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=False,
        backlog=4096,
        backpressure=BACKPRESSURE,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_MS, max_buffer_size=64 * 1024),
        log_enabled=False,
    )
    loop = asyncio.get_running_loop()

    def stop() -> None:
        app.service.changes.close()
        server.stop()  # type: ignore[no-untyped-call]  # of granian

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    try:
        await server.serve()
    except (OSError, RuntimeError) as error:
        raise ConfigurationError([f"listen: {host}:{port} cannot be bound: {error}; name another address"]) from None
