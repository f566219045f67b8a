"""Late and repeated writes, as after a delay in the network: captured, kept and sent to Redis again."""

import ast
import re
from collections import deque
from random import Random

import redis

from tests.chaos.background import Background

MAX_KEPT = 20_000
_TIMEOUT_S = 0.5
_ARGUMENT = re.compile(r'"((?:[^"\\]|\\.)*)"')
_BY_A_CLIENT = re.compile(r'^[\d.]+ \[\d+ (?!lua\])[^]]*\] "EVAL(?:SHA)?" ')

Write = tuple[bytes, ...]


class LateWrites(Background):
    """Thread that captures the writes to Redis (MONITOR), over outages of Redis."""

    def __init__(self, url: str, random: Random) -> None:
        super().__init__("late-writes")
        self.sent = 0
        self._client = redis.Redis.from_url(url, socket_timeout=_TIMEOUT_S)
        self._random = random
        self._captured: deque[Write] = deque(maxlen=MAX_KEPT)

    def send(self, limit: int) -> None:
        """Send up to `limit` captured writes again in random order; raise the error that ended the thread, if any."""
        self.raise_error()
        writes = self._random.sample(list(self._captured), min(limit, len(self._captured)))
        with self._client.pipeline(transaction=False) as pipeline:
            for write in writes:
                pipeline.execute_command(*write)
            pipeline.execute(raise_on_error=False)  # an emptied Redis does not know the scripts
        self.sent += len(writes)

    def _run(self) -> None:
        with self._client:
            while not self._stop.is_set():
                try:
                    self._listen()
                except (redis.ConnectionError, redis.TimeoutError):
                    self._stop.wait(_TIMEOUT_S)

    def _listen(self) -> None:
        connection = self._client.connection_pool.get_connection()
        try:
            connection.send_command("MONITOR")
            while not self._stop.is_set():
                if connection.can_read(timeout=_TIMEOUT_S):
                    self._capture(connection.read_response().decode())
        finally:
            connection.disconnect()
            self._client.connection_pool.release(connection)

    def _capture(self, line: str) -> None:
        if _BY_A_CLIENT.match(line):
            self._captured.append(tuple(arguments(line)))


def arguments(line: str) -> list[bytes]:
    r"""Return the arguments of a command that MONITOR prints.

    >>> arguments(r'1339518083.1 [0 127.0.0.1:6379] "HSET" "key" "{\"v\":1}" "\xc3\xa4\n"')
    [b'HSET', b'key', b'{"v":1}', b'\xc3\xa4\n']
    """
    return [ast.literal_eval(f'b"{argument}"') for argument in _ARGUMENT.findall(line)]
