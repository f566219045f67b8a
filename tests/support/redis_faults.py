"""Redis servers for faults: a server that tests kill, freeze and restart, and a pair for a failover."""

import signal
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from os import getpid
from pathlib import Path
from typing import NamedTuple

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from dataflows.runtime.parent_death import die_with
from tacit_lab.embedded import EmbeddedRedis, wheel_binary
from tests.support.conditions import eventually
from tests.support.ports import free_port


class FragileRedis:
    """Server and its client, which reconnects.

    Args:
        folder: folder for data; without an option such as `--appendonly`, the server restarts empty.
        options: further arguments of the command line, as in `("--appendonly", "yes")`.
    """

    def __init__(self, folder: Path, options: Sequence[str] = ()) -> None:
        port = free_port()
        self.address = f"127.0.0.1:{port}"
        self.url = f"redis://{self.address}/0"
        self.client = redis.Redis(port=port, decode_responses=True, retry=Retry(NoBackoff(), 1), socket_timeout=5)
        self._command = [str(wheel_binary()), "--port", str(port), "--dir", str(folder), "--save", "", *options]
        self.start()

    def start(self) -> None:
        """Start the server with its stored data."""
        self._process = subprocess.Popen(
            self._command, stdout=subprocess.DEVNULL, preexec_fn=partial(die_with, getpid())
        )
        eventually(self._answers, within_s=10, what="Redis to start")

    def stop(self) -> None:
        """Stop the server with SIGTERM."""
        self._process.terminate()
        self._process.wait(30)

    def kill(self) -> None:
        """Kill the server; data not on disk is lost."""
        self._process.kill()
        self._process.wait(5)

    def pause(self) -> None:
        """Freeze the server: connections stay open, without replies."""
        self._process.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Resume after `pause`."""
        self._process.send_signal(signal.SIGCONT)

    def _answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.ConnectionError:
            return False


@contextmanager
def fragile_redis(folder: Path, options: Sequence[str] = ()) -> Iterator[FragileRedis]:
    """Yield a running server, and kill it afterwards."""
    server = FragileRedis(folder, options)
    try:
        yield server
    finally:
        server.kill()
        server.client.close()


class Pair(NamedTuple):
    """A primary, its replica, and the symbolic link by which workers and readers find the primary."""

    primary: redis.Redis
    replica: redis.Redis
    replica_port: int
    name: Path
    sockets: tuple[Path, Path]

    @property
    def url(self) -> str:
        return f"unix://{self.name}"

    def point_at(self, place: int) -> None:
        """Point the symbolic link at one of the two servers."""
        new = self.name.with_suffix(".new")
        new.symlink_to(self.sockets[place])
        new.replace(self.name)

    def fail_over(self) -> None:
        """Fail over like an operator: writes wait until the replica is in sync, roles change, then the link changes."""
        self.primary.execute_command("FAILOVER", "TO", "127.0.0.1", self.replica_port)
        eventually(lambda: self.replica.role()[0] == b"master", within_s=20, what="the replica's promotion")
        self.point_at(1)


@contextmanager
def redis_pair(binary: Path, folder: Path) -> Iterator[Pair]:
    """Yield a primary and a replica in sync."""
    ports = free_port(), free_port()
    listen = [("--port", str(port), "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0") for port in ports]
    follow = ("--replicaof", "127.0.0.1", str(ports[0]))
    with (
        EmbeddedRedis(binary, listen[0]) as first,
        EmbeddedRedis(binary, (*listen[1], *follow)) as second,
        redis.Redis.from_url(first.url, protocol=2) as primary,
        redis.Redis.from_url(second.url, protocol=2) as replica,
    ):
        found = Pair(primary, replica, ports[1], folder / "redis.sock", (first.socket, second.socket))
        found.point_at(0)
        eventually(lambda: replica.info("replication")["master_link_status"] == "up", within_s=20, what="the replica")
        yield found
