"""A failover to a replica under writing: the name leads to the new primary, and nothing acknowledged is lost."""

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
PEOPLE = [pseudonym(f"user-{number}", SECRET.encode()) for number in range(50)]
LIVE = RegionKeys("eu").within("live")


@pytest.fixture(params=BINARIES)
def pair(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pair]:
    with redis_pair(BINARIES[request.param], tmp_path) as made:
        yield made


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
    assert counters.unwritable == 0


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
