"""HTTP server of the service: granian in this process, until SIGTERM or Ctrl-C."""

import asyncio
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import structlog
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
_BACKLOG = 4096


@contextmanager
def listening(address: str) -> Iterator[tuple[socket.socket, str]]:
    """Yield a socket that listens, and its address; port 0 takes a free one. Connections wait until `serve`.

    Raises:
        ConfigurationError: the address cannot be bound.
    """
    host, _, port = address.rpartition(":")
    name = host.strip("[]")
    try:
        # Granian's own listener has SO_REUSEPORT: the system then spreads connections over all services of the port.
        family = socket.AF_INET6 if ":" in name else socket.AF_INET
        listener = socket.create_server((name, int(port)), family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ConfigurationError([f"listen: {address} cannot be bound: {error}; name another address"]) from None
    with listener:
        # Connections take the options of their listener.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)
        bound = f"{host}:{listener.getsockname()[1]}"
        structlog.get_logger("service").info("service.listening", url=f"http://{bound}")
        yield listener, bound


def serve(app: Front, listener: socket.socket) -> None:
    """Serve an application until a signal."""
    uvloop.run(_serve(app, listener))


class _Server(Server):
    """Server on a socket that listens."""

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
        backlog=_BACKLOG,
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
