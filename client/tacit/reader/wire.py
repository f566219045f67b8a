"""Commands onto a connection and replies off it, at half the CPU a command (5 µs) of redis-py's own pipelines."""

import math
import time
from collections.abc import Callable, Sequence
from typing import Protocol, cast

import hiredis
import redis

from tacit.reader.dialogue import Command, Reply

TROUBLE = (redis.RedisError, OSError, ValueError)
"""What redis-py raises of servers, ValueError where a redirect is none or a host no name. No more: a time limit that a
signal's handler raises is not ours to swallow."""

_pack_one = cast("Callable[[Command], bytes]", hiredis.pack_command)  # its stub knows tuples of one word only


class Connection(Protocol):
    """What we use of `redis.connection.Connection`, which has these methods untyped."""

    pid: int
    """The process that made it."""

    def send_packed_command(self, command: Sequence[bytes]) -> None:
        """Send, having connected if need be."""

    def read_response(self) -> Reply:
        """Return one reply; an error is raised, and closes the connection if it is one of the connection."""

    def can_read(self, timeout: float) -> bool:
        """Say whether something has come."""

    def disconnect(self) -> None:
        """Close it."""


def pack(commands: Sequence[Command]) -> list[bytes]:
    """Return a pipeline as `send_packed_command` takes it."""
    return [b"".join([_pack_one(command) for command in commands])]


def send(connection: Connection, commands: Sequence[Command]) -> redis.RedisError | None:
    """Send a pipeline, connecting if need be; return what went wrong, whatever it was."""
    packed = pack(commands)
    try:
        connection.send_packed_command(packed)
    except TROUBLE as error:
        connection.disconnect()
        return as_lost(error)
    return None


def receive(connection: Connection, count: int, until_s: float = math.inf) -> list[Reply]:
    """Return so many replies; those that do not come any more, or are none of Redis', are the error that ended them.

    After such an error, and after `until_s` (of `time.monotonic`), when no further one is waited for, the connection is
    closed: replies that still come are nobody's.
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
    except TROUBLE as error:
        connection.disconnect()
        replies += [as_lost(error)] * (count - len(replies))
    return replies


def as_lost(error: Exception) -> redis.RedisError:
    """Return trouble as redis-py has it; with a server that is no Redis it is a lost connection."""
    if isinstance(error, redis.ConnectionError | redis.TimeoutError | redis.ResponseError):
        return error
    return redis.ConnectionError(type(error).__name__)


def is_lost(reply: Reply) -> bool:
    """Say whether a reply is none: the server did not answer, which says nothing of the command."""
    return isinstance(reply, redis.ConnectionError | redis.TimeoutError)
