"""History that Redis keeps on disk: deleted and replaced values in its append-only file and its dumps."""

from collections.abc import Iterator, Mapping
from contextlib import closing
from typing import NamedTuple

import redis

from connectors.redis.client import RedisClient
from tacit.reader.cluster_map import Address

_SETTINGS = ("appendonly", "auto-aof-rewrite-percentage", "auto-aof-rewrite-min-size", "save")


class History(NamedTuple):
    """Deleted values that one server keeps."""

    detail: str
    is_unlimited: bool
    """True if no setting of the server ends the life of a deleted value, or if the settings are not readable."""


def redis_history(url: str) -> list[History]:
    """Return the history of each server, in the order of its servers.

    Raises:
        SinkError: Redis does not answer.
    """
    with closing(RedisClient(url, retry_for_s=0)) as client:
        servers = client.servers()
        return [_history(client, server, len(servers) > 1) for server in servers]


def _history(client: RedisClient, server: Address, is_cluster: bool) -> History:
    named = f"{server}: " if is_cluster else ""
    replies = client.send_once([("CONFIG", "GET", name) for name in _SETTINGS], server)
    if any(isinstance(reply, redis.RedisError) for reply in replies):
        [info] = client.send_once([("INFO", "persistence")], server)
        is_logging = isinstance(info, bytes) and b"aof_enabled:1" in info
        file = "it writes an append-only file; " if is_logging else ""
        return History(
            f"{named}{file}its settings are not readable by this user; check that save and "
            "auto-aof-rewrite-percentage limit how long a deleted value lives",
            True,
        )
    settings = {_text(reply[0]): _text(reply[1]) for reply in replies if isinstance(reply, list) and len(reply) == 2}
    found = list(_sentences(settings))
    return History(named + "; ".join(text for text, _ in found), any(unlimited for _, unlimited in found))


def _sentences(settings: Mapping[str, str]) -> Iterator[tuple[str, bool]]:
    """Yield (sentence, whether nothing ends the history)."""
    if settings.get("appendonly") == "yes":
        yield _append_only(settings["auto-aof-rewrite-percentage"], settings["auto-aof-rewrite-min-size"]), True
    if save := settings.get("save"):
        seconds = max(int(text) for text in save.split()[::2])
        yield f"a dump keeps deleted values until the next one, up to {seconds} s after the next write", False
    elif settings.get("appendonly") != "yes":
        yield "neither an append-only file nor dumps; a dump made by hand stays until you delete it", False


def _append_only(percentage: str, size: str) -> str:
    if percentage == "0":
        return (
            "the append-only file keeps every deleted value, as auto-aof-rewrite-percentage is 0: set it to 100, "
            "or run BGREWRITEAOF by a timer"
        )
    return (
        f"the append-only file keeps deleted values until it has grown by {percentage} % and has {size} bytes: "
        "run BGREWRITEAOF by a timer for a limit in time"
    )


def _text(value: object) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
