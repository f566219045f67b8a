"""HTTP server of the service: granian in this process, until SIGTERM or Ctrl-C."""

import asyncio
import signal
import socket
from typing import Any

import structlog
import uvloop
from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from tacit_service.http.front import Front
from tacit_service.http.listening import BACKLOG

HEADER_MS = 30_000
"""Time limit for the arrival of a request's headers, which an idle connection has, too: clients keep connections."""
BACKPRESSURE = 65_536
"""Most requests at work; further ones wait in their connections."""


def serve(app: Front, listener: socket.socket) -> None:
    """Serve an application until a signal."""
    structlog.get_logger("service").info("service.listening", url=f"http://{app.service.settings.listen}")
    uvloop.run(_serve(app, listener))


class _Server(Server):
    """Server on a socket that listens.

    Granian's own socket has SO_REUSEPORT: the system then spreads connections over all services of the port.
    """

    listener: socket.socket

    def _init_shared_socket(self) -> None:
        make: Any = SocketHolder
        held = make(self.listener.detach(), False, self.backlog)
        self._shd, self._sfd = held, held.get_fd()


async def _serve(app: Front, listener: socket.socket) -> None:
    server = _Server(
        app,
        interface=Interfaces.ASGI,
        http=HTTPModes.http1,
        websockets=False,
        backlog=BACKLOG,
        backpressure=BACKPRESSURE,
        http1_settings=HTTP1Settings(header_read_timeout=HEADER_MS, max_buffer_size=64 * 1024),
        log_enabled=False,
    )
    server.listener = listener
    loop = asyncio.get_running_loop()

    def stop() -> None:
        app.service.changes.close()
        server.stop()  # type: ignore[no-untyped-call]  # of granian

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    await server.serve()
