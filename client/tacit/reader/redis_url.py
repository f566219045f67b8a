"""Connection pools by URL, for readers and workers.

Both read replies as bytes in RESP2, without HELLO, for which a user may lack the right. A URL with another protocol or
with decoded replies would change the shape of every reply, so it is refused.
"""

import re
from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import urlsplit

import redis
import redis.asyncio
from redis.connection import parse_url

from tacit.errors import ConfigurationError

PROBLEM = (
    "Redis URL: redis://HOST:PORT/DATABASE, rediss://HOST:PORT/DATABASE or unix:///PATH, where DATABASE is a number or "
    "left out, and redis-py's options for connections, without those that change replies"
)

_SHAPING = {"decode_responses", "encoding", "encoding_errors", "legacy_responses"}
"""Options that change the shape of replies; so does `protocol`."""

_DATABASE = re.compile(r"/?([0-9]*)/?")

UrlPool = TypeVar("UrlPool", redis.ConnectionPool, redis.asyncio.ConnectionPool)


def pool_of(url: str, kind: type[UrlPool], **settings: Any) -> UrlPool:
    """Return a pool for a URL, which does not connect yet; options of the URL replace `settings`.

    Raises:
        ConfigurationError: the URL has another form, an unknown option, or one that changes replies. Neither the URL
            nor redis-py's message is repeated, as they may hold a password.
    """
    try:
        options = parse_url(url)
        if options.get("protocol", 2) != 2 or options.keys() & _SHAPING or not _has_one_database(url, options):
            raise ValueError(url)
        pool = kind.from_url(url, protocol=2, decode_responses=False, **settings)
        pool.connection_class(**pool.connection_kwargs)
    except (ValueError, TypeError, redis.RedisError):
        raise ConfigurationError([PROBLEM]) from None
    return pool


def _has_one_database(url: str, options: Mapping[str, Any]) -> bool:
    """Return whether the path is a number or empty, and no other one than the option `db`.

    redis-py takes database 0 for another path, and 12 for `/1/2`.
    """
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return True
    number = _DATABASE.fullmatch(parts.path)
    return number is not None and (not number[1] or int(number[1]) == options["db"])
