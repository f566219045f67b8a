"""A way to Redis that ends for good at one request: before the server gets it, or before the client gets the reply."""

import socket
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from tests.support.ports import free_port

_BYTES = 1 << 20


class CutConnection:
    """Relay from a port to a server, request by request, as a client that waits for replies sends them.

    Args:
        socket_path: unix socket of the server.
        requests: number of requests that pass.
        loses_reply: the next request reaches the server, and its reply does not reach the client.
    """

    def __init__(self, socket_path: str, requests: int, *, loses_reply: bool) -> None:
        self._server = socket_path
        self._left = requests
        self._loses_reply = loses_reply
        self.was_cut = False
        self.port = free_port()
        self._listener = socket.create_server(("127.0.0.1", self.port))

    def serve(self) -> None:
        """Relay one connection after the other, until the cut."""
        with suppress(OSError):
            while not self.was_cut:
                client, _ = self._listener.accept()
                threading.Thread(target=self._relay, args=(client,), daemon=True).start()

    def close(self) -> None:
        """Refuse connections from now on."""
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _relay(self, client: socket.socket) -> None:
        with closing(client), socket.socket(socket.AF_UNIX) as server, suppress(OSError):
            server.connect(self._server)
            while request := client.recv(_BYTES):
                if self._left == 0 and not self._loses_reply:
                    break
                server.sendall(request)
                reply = server.recv(_BYTES)
                if self._left == 0:
                    break
                self._left -= 1
                client.sendall(reply)
            else:
                return
            self.was_cut = True
            self.close()


@contextmanager
def cut_connection(socket_path: str, requests: int, *, loses_reply: bool) -> Iterator[CutConnection]:
    """Yield a relay that serves in a thread."""
    relay = CutConnection(socket_path, requests, loses_reply=loses_reply)
    thread = threading.Thread(target=relay.serve, daemon=True)
    thread.start()
    try:
        yield relay
    finally:
        relay.close()
        thread.join(10)
