"""Free loopback ports; the workers of a parallel test run take ports from ranges that do not overlap."""

import os
import socket
from itertools import cycle

FIRST = 10_000
PER_WORKER = 2_000
"""Ports of one test worker. All are below 32,768, where Linux takes the ports of outgoing connections from."""
MAX_WORKERS = 5
CLUSTER_BUS = 10_000
"""Distance of the port on which a cluster node of Redis 6.2 talks to other nodes."""


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
    return next(port for port in _ports if all(_is_free(port + offset) for offset in offsets))


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


def _own_ports() -> list[int]:
    """Return every second port of this worker's range, from a place that depends on the process."""
    first = FIRST + PER_WORKER * (_worker() % MAX_WORKERS)
    ports = list(range(first, first + PER_WORKER, 2))
    start = os.getpid() % len(ports)
    return ports[start:] + ports[:start]


_ports = cycle(_own_ports())
"""A returned port comes again after all others only: its server may not listen yet, or may be down for a while."""
