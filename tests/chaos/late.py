"""Writes that come late and twice, as after a network has held them up: overheard, kept, and sent to Redis again."""

import ast
import re
from collections import deque
from random import Random

import redis

from tests.chaos.background import Background

MAX_KEPT = 20_000
_TIMEOUT_S = 0.5
_WORD = re.compile(r'"((?:[^"\\]|\\.)*)"')
_BY_A_CLIENT = re.compile(r'^[\d.]+ \[\d+ (?!lua\])[^]]*\] "EVAL(?:SHA)?" ')

Write = tuple[bytes, ...]


class LateWrites(Background):
    """A thread that hears what Redis is told (MONITOR), as long as it is there to be heard."""

    def __init__(self, url: str, random: Random) -> None:
        super().__init__("late-writes")
        self.sent = 0
        self._client = redis.Redis.from_url(url, socket_timeout=_TIMEOUT_S)
        self._random = random
        self._heard: deque[Write] = deque(maxlen=MAX_KEPT)

    def send(self, most: int) -> None:
        """Send some of what was heard again, in any order; raise what hearing has ended by."""
        self.raise_error()
        writes = self._random.sample(list(self._heard), min(most, len(self._heard)))
        with self._client.pipeline(transaction=False) as pipeline:
            for write in writes:
                pipeline.execute_command(*write)
            pipeline.execute(raise_on_error=False)  # scripts that an emptied Redis does not know are not worth a word
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
                    self._hear(connection.read_response().decode())
        finally:
            connection.disconnect()
            self._client.connection_pool.release(connection)

    def _hear(self, line: str) -> None:
        if _BY_A_CLIENT.match(line):
            self._heard.append(tuple(words(line)))


def words(line: str) -> list[bytes]:
    r"""Return the words of a command as MONITOR prints it.

    >>> words(r'1339518083.1 [0 127.0.0.1:6379] "HSET" "key" "{\"v\":1}" "\xc3\xa4\n"')
    [b'HSET', b'key', b'{"v":1}', b'\xc3\xa4\n']
    """
    return [ast.literal_eval(f'b"{word}"') for word in _WORD.findall(line)]
