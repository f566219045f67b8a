"""Persistence of Redis: the files that keep the bytes of deleted keys."""

from contextlib import closing
from typing import NamedTuple

import redis

from connectors.redis.client import RedisClient


class Persistence(NamedTuple):
    """Files and copies of one or more servers; None: the server does not show it."""

    append_only: bool | None
    """An append-only file has every write until its next rewrite."""
    replicas: int | None
    """Number of connected replicas."""


def redis_persistence(url: str) -> Persistence:
    """Return the persistence of a server; of a cluster, that of the URL's server."""
    with closing(RedisClient(url, retry_for_s=0)) as client:
        persistence, replication = client.send_once([("INFO", "persistence"), ("INFO", "replication")], client.home)
    append_only, replicas = _value(persistence, "aof_enabled"), _value(replication, "connected_slaves")
    return Persistence(None if append_only is None else append_only == "1", None if replicas is None else int(replicas))


def _value(reply: object, name: str) -> str | None:
    if isinstance(reply, redis.RedisError) or not isinstance(reply, bytes):
        return None
    found = dict(line.split(":", 1) for line in reply.decode("utf-8", "replace").splitlines() if ":" in line)
    return found.get(name)
