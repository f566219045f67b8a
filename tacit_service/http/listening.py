"""Socket of a server, which is bound before anything names its address."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

from tacit.errors import ConfigurationError

BACKLOG = 4096
UNREAD_MS = 20_000
"""Time limit for a client to take bytes of an answer: a silent client loses the connection.

The end of the service waits for it, too: Kubernetes gives 30 s.
"""


@contextmanager
def listening(address: str, setting: str) -> Iterator[tuple[socket.socket, str]]:
    """Yield a socket that listens, and its address. Connections wait until a server takes them.

    Args:
        address: HOST:PORT; port 0 takes a free one.
        setting: name of the setting, for the error.

    Raises:
        ConfigurationError: the address cannot be bound.
    """
    host, _, port = address.rpartition(":")
    name = host.strip("[]")
    family = socket.AF_INET6 if ":" in name else socket.AF_INET
    try:
        listener = socket.create_server((name, int(port)), family=family, backlog=BACKLOG)
    except (OSError, TypeError) as error:
        # The function adds the address to the text of an OSError; a host that no name may have is a TypeError.
        reason = str(error.strerror).partition(" (")[0] if isinstance(error, OSError) else "no host has this name"
        raise ConfigurationError([f"{setting}: {address} cannot be bound: {reason}; name another address"]) from None
    with listener:
        # Connections take the options of their listener.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNREAD_MS)
        yield listener, f"{host}:{listener.getsockname()[1]}"
