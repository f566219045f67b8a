"""Whether a Redis will do: what a start-up looks at before anything is written."""

import time

import redis

from connectors.redis_client import connection_pool, error_code

OLDEST_VERSION = (6, 2)
MAX_CLOCK_DIFFERENCE_S = 60.0

_TIMEOUT_S = 5.0
_WRITE_NOTHING = "return redis.call('UNLINK', KEYS[1])"


def redis_problems(url: str, region: str) -> list[str]:
    """Return what would keep writers from working, a sentence each; nothing is changed.

    Raises:
        ConfigurationError: `url` is no Redis URL.
    """
    client = redis.Redis.from_pool(connection_pool(url, timeout_s=_TIMEOUT_S))
    try:
        return _server_problems(client) + _write_problems(client, region)
    except redis.RedisError as error:
        return [f"Redis cannot be used: {error_code(error)}; check the URL, its user and password, and the server"]
    finally:
        client.close()


def _server_problems(client: redis.Redis) -> list[str]:
    info: dict[str, str] = client.info()
    found = []
    version = tuple(int(part) for part in info["redis_version"].split(".")[:2])
    if version < OLDEST_VERSION:
        found.append(f"Redis is {info['redis_version']}: 6.2 or newer is needed")
    policy = info.get("maxmemory_policy", "it does not say how")
    if policy != "noeviction":
        found.append(f"Redis evicts ({policy}), so it could lose consent: set maxmemory-policy noeviction")
    return found


def _write_problems(client: redis.Redis, region: str) -> list[str]:
    """Say what is wrong with the clock, or keeps a script from writing in this region."""
    found = []
    seconds, microseconds = client.time()
    ahead_s = time.time() - (seconds + microseconds / 1e6)
    if abs(ahead_s) > MAX_CLOCK_DIFFERENCE_S:
        found.append(f"the clocks of Redis and of this machine are {abs(ahead_s):.0f} s apart: set them by NTP")
    try:
        client.eval(_WRITE_NOTHING, 1, f"tacit:v1:{region}:check")
    except redis.ResponseError as error:
        found.append(f"Redis refuses scripts that write: {error_code(error)}; use the primary, and the writer's user")
    return found
