"""Free loopback ports; the workers of a parallel test run take ports from ranges that do not overlap."""

import os
import random
import socket

FIRST = 10_000
PER_WORKER = 2_000
"""Ports of one test worker. All are below 32,768, where Linux takes the ports of outgoing connections from."""
MAX_WORKERS = 5
CLUSTER_BUS = 10_000
"""Distance of the port on which a cluster node of Redis 6.2 talks to other nodes."""

_random = random.Random(os.getpid())


def free_port() -> int:
    """Return a port on which nothing listens."""
    return _first_of_free(0)


def two_free_ports() -> int:
    """Return a port on which nothing listens, nor on the next one."""
    return _first_of_free(0, 1)


def free_cluster_port() -> int:
    """Return a port on which nothing listens, nor on the one of its cluster bus."""
    return _first_of_free(0, CLUSTER_BUS)


def _first_of_free(*offsets: int) -> int:
    first = FIRST + PER_WORKER * (_worker() % MAX_WORKERS)
    while True:
        port = _random.randrange(first, first + PER_WORKER - 1)
        if all(_is_free(port + offset) for offset in offsets):
            return port


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _worker() -> int:
    """Return the number of this pytest-xdist worker: gw0, gw1 and so on."""
    return int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
