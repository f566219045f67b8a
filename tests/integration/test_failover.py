"""A failover to a replica under writing: the name leads to the new primary, and nothing acknowledged is lost."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread
from typing import NamedTuple

import pytest
import redis

from connectors.redis_keys import RegionKeys
from connectors.redis_sink import SignalWriter, Target
from state.counters import SinkCounters
from state.pseudonyms import digest
from state.signals import SignalWrite, decode_signal
from tacit import SignalReader
from tacit.embedded import EmbeddedRedis
from tests.redis_server import BINARIES, free_port
from tests.sample_signals import NOW_MS, signal, write
from tests.waiting import eventually

SECRET = "a secret of tests"
PEOPLE = [digest(f"user-{number}", SECRET.encode()) for number in range(50)]
LIVE = RegionKeys("eu").within("live")


class Pair(NamedTuple):
    """A primary and its replica, and the name by which workers and readers know whichever is the primary."""

    primary: redis.Redis
    replica: redis.Redis
    primary_port: int
    replica_port: int
    name: Path
    sockets: tuple[Path, Path]

    @property
    def url(self) -> str:
        return f"unix://{self.name}"

    def point_at(self, place: int) -> None:
        """Let the name lead to one of the two."""
        new = self.name.with_suffix(".new")
        new.symlink_to(self.sockets[place])
        new.replace(self.name)

    def fail_over(self) -> None:
        """Do it as an operator does: writes wait until the replica has everything, then roles change, then the name."""
        self.primary.execute_command("FAILOVER", "TO", "127.0.0.1", self.replica_port)
        eventually(lambda: self.replica.role()[0] == b"master", within_s=20, what="the replica's promotion")
        self.point_at(1)


@pytest.fixture(params=BINARIES)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    binary, ports = BINARIES[request.param], (free_port(), free_port())
    listen = [("--port", str(port), "--bind", "127.0.0.1", "--repl-diskless-sync-delay", "0") for port in ports]
    follow = ("--replicaof", "127.0.0.1", str(ports[0]))
    with (
        EmbeddedRedis(binary, listen[0]) as first,
        EmbeddedRedis(binary, (*listen[1], *follow)) as second,
        redis.Redis.from_url(first.url, protocol=2) as primary,
        redis.Redis.from_url(second.url, protocol=2) as replica,
    ):
        found = Pair(primary, replica, *ports, tmp_path / "redis.sock", (first.socket, second.socket))
        found.point_at(0)
        eventually(lambda: replica.info("replication")["master_link_status"] == "up", within_s=20, what="the replica")
        yield found


def news(seq: int) -> list[SignalWrite]:
    """Return what is said of everybody for the so-manieth time."""
    return [write(("length", signal("concise", NOW_MS, seq)), user=user) for user in PEOPLE]


def test_writing_goes_on_at_the_new_primary(pair: Pair) -> None:
    """While the roles change writes wait or are refused; all are acknowledged in the end, by one or the other."""
    acknowledged, counters, stop = [0], SinkCounters(), Event()

    def work() -> None:
        with closing(SignalWriter(Target(pair.url, "eu"), counters)) as writer:
            while not stop.is_set():
                writer.write(news(acknowledged[0] + 1))
                acknowledged[0] += 1

    worker = Thread(target=work)
    worker.start()
    try:
        eventually(lambda: acknowledged[0] > 20, within_s=20, what="the first writes")
        pair.fail_over()
        moved_at = acknowledged[0]
        eventually(lambda: acknowledged[0] > moved_at + 20, within_s=20, what="writes at the new primary")
    finally:
        stop.set()
        worker.join(30)
    said = [decode_signal(pair.replica.hget(LIVE.signals(user), "length") or b"") for user in PEOPLE]
    assert {one.v for one in said} == {signal("concise", NOW_MS, acknowledged[0]).v}
    assert counters.malformed == 0


def test_reader_finds_the_new_primary(pair: Pair) -> None:
    """Its connections lead to what is a replica now, which still answers; new ones lead to the primary."""
    with closing(SignalWriter(Target(pair.url, "eu"), SinkCounters())) as writer:
        writer.write(news(1))
        with SignalReader(pair.url, region="eu", secret=SECRET) as reader:
            assert reader.get("user-1").status == "fresh"
            pair.fail_over()
            writer.write(news(2))
            latest = signal("concise", NOW_MS, 2).v
            eventually(lambda: reader.get("user-1").signals["length"].v == latest, within_s=20, what="the news")
