"""Many open connections: they cost memory within a bound, and the service answers new clients meanwhile."""

import resource
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from tacit_lab.embedded import EmbeddedRedis
from tests.support.conditions import eventually
from tests.support.redis_server import BINARIES
from tests.tacit_service.trial.service import UNLIMITED, answer_from, served

WANTED = 10_000
LEAST = 2_000
RESERVED = 500
"""Descriptors for all else, in the test and in the service."""
KEPT = {"tacit_service.server.HEADER_MS": 120_000}
"""Idle connections end after 30 s otherwise, which a busy machine may need."""
WITHIN_S = 100


@contextmanager
def many_descriptors() -> Iterator[int]:
    """Raise the soft limit of descriptors, which the service inherits, and yield the connections that it allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    limit = hard if hard != resource.RLIM_INFINITY else max(soft, WANTED + RESERVED)
    resource.setrlimit(resource.RLIMIT_NOFILE, (limit, hard))
    try:
        yield min(WANTED, limit - RESERVED)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_10000_open_connections(tmp_path: Path) -> None:
    """Idle ones; a fresh client is answered meanwhile, then each of them; afterwards, their descriptors are back."""
    with (
        many_descriptors() as number,
        EmbeddedRedis(BINARIES["redis-6.2"]) as redis,
        served(tmp_path, redis.url, *UNLIMITED, limits=KEPT, logs="warning") as service,
        ExitStack() as stack,
    ):
        assert number >= LEAST, f"the hard limit of descriptors allows {number} connections"
        service.choose()
        before, memory = service.descriptors, service.rss_mib
        open_ = [stack.enter_context(service.connect()) for _ in range(number)]
        eventually(lambda: service.descriptors >= before + number - 5, within_s=WITHIN_S, what="all connections")
        assert [service.choose().status for _ in range(100)] == [200] * 100
        assert service.rss_mib - memory < number * 0.016
        for connection in open_:
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert {answer_from(connection).status for connection in open_} == {200}
        stack.close()
        eventually(lambda: service.descriptors <= before + 5, within_s=WITHIN_S, what="the descriptors")
        sys.stdout.write(f"{number} connections\n")
