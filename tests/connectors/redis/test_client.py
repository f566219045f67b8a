"""connectors/redis/client: commands and their replies."""

from contextlib import closing

from connectors.redis.client import RedisClient
from tests.support.ports import free_port


def test_no_command_needs_no_server() -> None:
    """A batch may turn out to be empty, such as the deletions of a rotation that keeps every gate."""
    with closing(RedisClient(f"redis://127.0.0.1:{free_port()}", retry_for_s=0)) as client:
        assert client.deliver([], []) == []
