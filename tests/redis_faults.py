"""A Redis that a test may kill, freeze and bring back where it was: on the same port, with nothing in it."""

import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from os import getpid
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from dataflows.parent import die_with
from tacit.embedded import wheel_binary
from tests.redis_server import free_port
from tests.waiting import eventually


class FragileRedis:
    """A server and a client of it; the client connects anew when it has to."""

    def __init__(self, folder: Path) -> None:
        port = free_port()
        self.url = f"redis://127.0.0.1:{port}/0"
        self.client = redis.Redis(port=port, decode_responses=True, retry=Retry(NoBackoff(), 1), socket_timeout=5)
        self._command = [str(wheel_binary()), "--port", str(port), "--dir", str(folder), "--save", ""]
        self.start()

    def start(self) -> None:
        """Start, empty."""
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, preexec_fn=partial(die_with, getpid())
        )
        eventually(self._answers, within_s=10, what="Redis to start")

    def kill(self) -> None:
        """Kill it; all that it held is lost."""
        self._process.kill()
        self._process.wait(5)

    def pause(self) -> None:
        """Freeze it: connections stay, answers do not come."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Go on after `pause`."""
        self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False


@contextmanager
def fragile_redis(folder: Path) -> Iterator[FragileRedis]:
    """Give a running server, and leave nothing behind."""
    server = FragileRedis(folder)
    try:
        yield server
    finally:
        server.kill()
        server.client.close()
