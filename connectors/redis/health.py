"""Checks of Redis at start-up, before any write."""

import time
from collections.abc import Iterator
from contextlib import closing

import redis

from connectors.redis.client import RedisClient, connection_pool
from connectors.redis.error_codes import TRANSIENT, UNANSWERED, error_code, meaning_of
from state.errors import SinkError
from tacit.contract.keys import RegionKeys
from tacit.reader.cluster_map import Address, home_of, settings_of

OLDEST_VERSION = (6, 2)
MAX_CLOCK_DIFFERENCE_S = 60.0

_TIMEOUT_S = 5.0
_WRITE_NOTHING = "return redis.call('UNLINK', KEYS[1])"


def redis_problems(url: str, region: str) -> list[str]:
    """Return the problems that writers would have, a sentence each, without a change to Redis.

    Raises:
        ConfigurationError: `url` is not a Redis URL.
    """
    with closing(RedisClient(url, retry_for_s=0)) as client:
        [reply] = client.send_once([("PING",)], client.home)
        if isinstance(reply, redis.RedisError):
            return [_unusable(client, reply)]
        try:
            servers = client.servers()
            found = [problem for server in servers for problem in _server_problems(url, server, len(servers) > 1)]
        except redis.RedisError as error:
            return [_unusable(client, error)]
        except SinkError as error:
            return [str(error)]
        return found + _write_problems(client, region)


def unanswered(url: str) -> str | None:
    """Return the problem of a Redis that does not answer, or that cannot take writes now; None for any other Redis.

    Raises:
        ConfigurationError: `url` is not a Redis URL.
    """
    with closing(RedisClient(url, retry_for_s=0)) as client:
        [reply] = client.send_once([("PING",)], client.home)
        if isinstance(reply, redis.RedisError) and error_code(reply) in TRANSIENT:
            return _unusable(client, reply)
    return None


def _unusable(client: RedisClient, error: redis.RedisError) -> str:
    code = error_code(error)
    failure = "did not answer" if code in UNANSWERED else "rejects the connection"
    return f"Redis at {client.home} {failure}: {meaning_of(code)}; check the URL, its user and password, and the server"


def _server_problems(url: str, server: Address, is_cluster: bool) -> Iterator[str]:
    pool = connection_pool(url, timeout_s=_TIMEOUT_S)
    pool.connection_kwargs = settings_of(server, home_of(pool.connection_kwargs), pool.connection_kwargs)
    named = f"Redis at {server}" if is_cluster else "Redis"
    with redis.Redis.from_pool(pool) as client:
        info: dict[str, str] = client.info()
        version = tuple(int(part) for part in info["redis_version"].split(".")[:2])
        if version < OLDEST_VERSION:
            yield f"{named} has version {info['redis_version']}: allowed are 6.2 and newer; upgrade Redis"
        policy = info.get("maxmemory_policy", "unknown policy")
        if policy != "noeviction":
            yield f"{named} evicts keys ({policy}) and could lose consent: set maxmemory-policy noeviction"
        seconds, microseconds = client.time()
        ahead_s = time.time() - (seconds + microseconds / 1e6)
        if abs(ahead_s) > MAX_CLOCK_DIFFERENCE_S:
            yield (
                f"the clocks of {named} and of this machine differ by {abs(ahead_s):.0f} s, "
                f"allowed are {MAX_CLOCK_DIFFERENCE_S:.0f} s: set both by NTP"
            )


def _write_problems(client: RedisClient, region: str) -> list[str]:
    """Return problems of scripts that write in this region."""
    [reply] = client.send_once([("EVAL", _WRITE_NOTHING, 1, RegionKeys(region).check)])
    if not isinstance(reply, redis.RedisError):
        return []
    return [f"Redis rejects scripts that write: {error_code(reply)}; use the primary, and the writer's user"]
