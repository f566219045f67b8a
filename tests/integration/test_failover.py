"""Failover to a replica during writes: the name resolves to the new primary, and no acknowledged write is lost."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import pytest

from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Target
from state.counters import SinkCounters
from state.user.writes import SignalWrite
from tacit import SignalReader
from tacit.contract.keys import RegionKeys
from tacit.contract.pseudonyms import pseudonym
from tacit.contract.signals import decode_signal
from tests.support.conditions import eventually
from tests.support.redis_faults import Pair, redis_pair
from tests.support.redis_server import BINARIES
from tests.support.sample_signals import NOW_MS, signal, write

SECRET = "a secret of tests"
USERS = [pseudonym(f"user-{number}", SECRET.encode()) for number in range(50)]
LIVE = RegionKeys("eu").within("live")


@pytest.fixture(params=BINARIES)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    with redis_pair(BINARIES[request.param], tmp_path) as made:
        yield made


def writes_of_all(seq: int) -> list[SignalWrite]:
    """Return a signal of this number for each user."""
    return [write(("length", signal("concise", NOW_MS, seq)), user=user) for user in USERS]


def test_writing_continues_at_the_new_primary(pair: Pair) -> None:
    """While the roles change, writes wait or fail; one of the servers acknowledges each write in the end."""
    acknowledged, counters, stop = [0], SinkCounters(), Event()

    def work() -> None:
        with closing(SignalWriter(Target(pair.url, "eu"), counters)) as writer:
            while not stop.is_set():
                writer.write(writes_of_all(acknowledged[0] + 1))
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
    stored = [decode_signal(pair.replica.hget(LIVE.signals(user), "length") or b"") for user in USERS]
    assert {found.v for found in stored} == {signal("concise", NOW_MS, acknowledged[0]).v}
    assert counters.unwritable == 0


def test_reader_finds_the_new_primary(pair: Pair) -> None:
    """Old connections lead to the new replica, which still answers; new connections lead to the new primary."""
    with closing(SignalWriter(Target(pair.url, "eu"), SinkCounters())) as writer:
        writer.write(writes_of_all(1))
        with SignalReader(pair.url, region="eu", secret=SECRET) as reader:
            assert reader.get("user-1").status == "fresh"
            pair.fail_over()
            writer.write(writes_of_all(2))
            latest = signal("concise", NOW_MS, 2).v
            eventually(lambda: reader.get("user-1").signals["length"].v == latest, within_s=20, what="the new signals")
