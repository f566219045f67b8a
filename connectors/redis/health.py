"""Whether a Redis will do: what a start-up looks at before anything is written."""

import time
from collections.abc import Iterator
from contextlib import closing

import redis

from connectors.redis.client import RedisClient, connection_pool, error_code
from state.errors import SinkError
from tacit.contract.keys import RegionKeys
from tacit.reader.cluster_map import Address, home_of, settings_of

OLDEST_VERSION = (6, 2)
MAX_CLOCK_DIFFERENCE_S = 60.0

_TIMEOUT_S = 5.0
_WRITE_NOTHING = "return redis.call('UNLINK', KEYS[1])"


def redis_problems(url: str, region: str) -> list[str]:
    """Return what would keep writers from working, a sentence each; nothing is changed.

    Raises:
        ConfigurationError: `url` is no Redis URL.
    """
    with closing(RedisClient(url, retry_for_s=0)) as client:
        [reply] = client.attempt([("PING",)], client.home)
        if isinstance(reply, redis.RedisError):
            return [_unusable(reply)]
        try:
            servers = client.servers()
            found = [problem for server in servers for problem in _server_problems(url, server, len(servers) > 1)]
        except redis.RedisError as error:
            return [_unusable(error)]
        except SinkError as error:
            return [str(error)]
        return found + _write_problems(client, region)


def _unusable(error: redis.RedisError) -> str:
    return f"Redis cannot be used: {error_code(error)}; check the URL, its user and password, and the server"


def _server_problems(url: str, server: Address, is_cluster: bool) -> Iterator[str]:
    pool = connection_pool(url, timeout_s=_TIMEOUT_S)
    pool.connection_kwargs = settings_of(server, home_of(pool.connection_kwargs), pool.connection_kwargs)
    named = f"Redis at {server.host}:{server.port}" if is_cluster else "Redis"
    with redis.Redis.from_pool(pool) as client:
        info: dict[str, str] = client.info()
        version = tuple(int(part) for part in info["redis_version"].split(".")[:2])
        if version < OLDEST_VERSION:
            yield f"{named} is {info['redis_version']}: 6.2 or newer is needed"
        policy = info.get("maxmemory_policy", "it does not say how")
        if policy != "noeviction":
            yield f"{named} evicts ({policy}), so it could lose consent: set maxmemory-policy noeviction"
        seconds, microseconds = client.time()
        ahead_s = time.time() - (seconds + microseconds / 1e6)
        if abs(ahead_s) > MAX_CLOCK_DIFFERENCE_S:
            yield f"the clocks of {named} and of this machine are {abs(ahead_s):.0f} s apart: set them by NTP"


def _write_problems(client: RedisClient, region: str) -> list[str]:
    """Say what keeps a script from writing in this region."""
    [reply] = client.attempt([("EVAL", _WRITE_NOTHING, 1, RegionKeys(region).check)])
    if not isinstance(reply, redis.RedisError):
        return []
    return [f"Redis refuses scripts that write: {error_code(reply)}; use the primary, and the writer's user"]
