"""Pipelines on one connection of redis-py, at half the CPU per command (5 µs) of redis-py's own pipelines."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import hiredis
import redis

from tacit.reader.round_trips import Command, Reply

CONNECTION_ERRORS = (redis.RedisError, OSError, ValueError)
"""Exceptions of redis-py for servers that fail; ValueError stands for an invalid redirect or host name.

No other exception is caught: a signal handler's time limit must reach the caller.
"""

_LOST = (redis.ConnectionError, redis.TimeoutError)

_pack_one = cast("Callable[[Command], bytes]", hiredis.pack_command)  # its stub accepts only tuples of one member


class Connection(Protocol):
    """Members of `redis.connection.Connection`, which has no types for them."""

    pid: int
    """Process that made the connection."""

    @property
    def is_connected(self) -> bool:
        """True while the connection is open."""

    def send_packed_command(self, command: Sequence[bytes]) -> None:
        """Send, and connect first where necessary."""

    def read_response(self) -> Reply:
        """Return one reply, or raise the error that the server replied."""

    def can_read(self, timeout: float) -> bool:
        """Return whether a reply has arrived."""

    def disconnect(self) -> None:
        """Close the connection."""


def pack(commands: Sequence[Command]) -> list[bytes]:
    """Return a pipeline in the form of `send_packed_command`."""
    return [b"".join([_pack_one(command) for command in commands])]


def send(connection: Connection, commands: Sequence[Command]) -> redis.RedisError | None:
    """Send a pipeline, and connect first where necessary; after an error close the connection and return the error."""
    packed = pack(commands)
    try:
        connection.send_packed_command(packed)
    except CONNECTION_ERRORS as error:
        connection.disconnect()
        return as_redis_error(error)
    return None


def receive(connection: Connection, count: int, until_s: float = math.inf) -> list[Reply]:
    """Return `count` replies; an error that ends the connection stands for each missing reply.

    The connection is closed after such an error, as late replies would reach the next user of the connection.

    Args:
        connection: the connection of the pipeline.
        count: the number of commands sent.
        until_s: `time.monotonic()` after which no further reply is awaited.
    """
    replies: list[Reply] = []
    read = connection.read_response
    try:
        while len(replies) < count:
            if replies and time.monotonic() > until_s:
                raise redis.TimeoutError
            try:
                replies.append(read())
            except redis.ResponseError as error:
                replies.append(error)
    except CONNECTION_ERRORS as error:
        connection.disconnect()
        replies += [as_redis_error(error)] * (count - len(replies))
    return replies


def as_redis_error(error: Exception) -> redis.RedisError:
    """Return an error as one of redis-py; replies that are not of Redis become a lost connection."""
    if isinstance(error, redis.ConnectionError | redis.TimeoutError | redis.ResponseError):
        return error
    return redis.ConnectionError(type(error).__name__)


def is_lost(reply: Reply) -> bool:
    """Return whether the server did not reply; the command may have taken effect or not."""
    return isinstance(reply, _LOST)
