"""History on Redis' disk, as real servers show it."""

import pytest
import redis

from connectors.redis.history import History, redis_history
from tacit_lab.embedded import EmbeddedRedis


@pytest.mark.parametrize(
    ("settings", "expected", "is_unlimited"),
    [
        ({}, "neither an append-only file nor dumps", False),
        ({"save": "3600 1 300 100"}, "until the next one, up to 3600 s", False),
        ({"appendonly": "yes"}, "until it has grown by 100 % and has 67108864 bytes", True),
        (
            {"appendonly": "yes", "auto-aof-rewrite-percentage": "0"},
            "keeps every deleted value, as auto-aof-rewrite-percentage is 0: set it to 100",
            True,
        ),
    ],
)
def test_history_follows_from_the_settings(settings: dict[str, str], expected: str, is_unlimited: bool) -> None:
    with EmbeddedRedis() as server:
        with redis.Redis.from_url(server.url, protocol=2) as client:
            for name, value in settings.items():
                client.config_set(name, value)
        [found] = redis_history(server.url)
    assert expected in found.detail
    assert found.is_unlimited == is_unlimited


def test_unreadable_settings_count_as_unlimited() -> None:
    """A user without the right to CONFIG still sees the append-only file."""
    with EmbeddedRedis(options=("--appendonly", "yes")) as server:
        with redis.Redis.from_url(server.url, protocol=2) as client:
            client.acl_setuser(
                "limited", enabled=True, nopass=True, keys="*", categories=["+@all"], commands=["-config"]
            )
        path = server.url.removeprefix("unix://") if server.url.startswith("unix://") else ""
        url = f"unix://limited:x@{path}" if path else server.url.replace("redis://", "redis://limited:x@")
        [found] = redis_history(url)
    assert found == History(found.detail, True)
    assert found.detail.startswith("it writes an append-only file; its settings are not readable")
