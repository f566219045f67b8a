"""Persistence of Redis, as real servers show it."""

import pytest

from connectors.redis.persistence import Persistence, redis_persistence
from tacit_lab.embedded import EmbeddedRedis


@pytest.mark.parametrize(("option", "append_only"), [("yes", True), ("no", False)])
def test_append_only_file_is_seen(option: str, append_only: bool) -> None:
    """Both settings of the server."""
    with EmbeddedRedis(options=("--appendonly", option)) as server:
        assert redis_persistence(server.url) == Persistence(append_only, 0)


def test_server_without_an_answer_shows_nothing() -> None:
    """No error: the receipt then names the persistence as unknown."""
    assert redis_persistence("redis://localhost:1") == Persistence(None, None)
