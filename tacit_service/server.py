"""HTTP server of the service: granian in this process, until SIGTERM or Ctrl-C."""

import asyncio
import signal
import socket
from typing import Any

import uvloop
from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.http import HTTP1Settings
from granian.server.embed import Server

from tacit.errors import ConfigurationError
from tacit_service.http.front import Front

HEADER_MS = 30_000
"""Time limit for the arrival of a request's headers, which an idle connection has, too: clients keep connections."""
UNREAD_MS = 20_000
"""Time limit for a client to take bytes of an answer: a silent client loses the connection.

The end of the service waits for it, too: Kubernetes gives 30 s.
"""
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
    """Server that ends connections of clients that do not read, and shares its port with no other process."""

    def _init_shared_socket(self) -> None:
        family = socket.AF_INET6 if ":" in self.bind_addr else socket.AF_INET
        # Granian's own listener has SO_REUSEPORT: the system then spreads connections over all services of the port.
        with socket.create_server((self.bind_addr, self.bind_port), family=family, backlog=self.backlog) as listener:
            # Connections take the options of their listener.
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)
            make: Any = SocketHolder
            held = make(listener.detach(), False, self.backlog)
        self._shd, self._sfd = held, held.get_fd()


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
