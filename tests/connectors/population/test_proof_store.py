"""Report of proof on a real Redis."""

from collections.abc import Iterator
from contextlib import closing

import pytest
import redis
from msgspec.structs import replace

from connectors.population.proof_reader import ProofReader
from connectors.population.proof_store import ProofStore
from connectors.population.sink import PopulationSink
from connectors.redis.client import RedisClient
from connectors.redis.target import Mode, Target
from state.counters import SinkCounters
from state.errors import StateError
from state.learning.proof_report import ProofReport, ReportWrite, encode_report
from tacit.contract.keys import RegionKeys
from tests.support import sample_proof
from tests.support.sample_population import write

LIVE = RegionKeys("eu").within("live")
REPORT = sample_proof.REPORT
DATA = encode_report(REPORT)


@pytest.fixture
def store(redis_url: str) -> Iterator[ProofStore]:
    with closing(ProofStore(RedisClient(redis_url), LIVE)) as opened:
        yield opened


def read(url: str) -> ProofReport | None:
    with closing(ProofReader(RedisClient(url), LIVE)) as reader:
        return reader.read()


def test_report_is_read_as_it_was_written(store: ProofStore, redis_url: str) -> None:
    """A later report replaces it."""
    assert read(redis_url) is None
    store.publish(b"{}")
    store.publish(DATA)
    assert read(redis_url) == REPORT


def test_history_next_to_live_workers_replaces_no_report_about_more(store: ProofStore, redis_url: str) -> None:
    """Event time counts first, then answers; a report that cannot be read is replaced."""
    store.publish(b"{}")
    store.publish(DATA, fill=True)
    assert read(redis_url) == REPORT
    older, more = replace(REPORT, at=REPORT.at - 1, answers=9), replace(REPORT, answers=REPORT.answers + 1)
    store.publish(encode_report(older), fill=True)
    assert read(redis_url) == REPORT
    store.publish(encode_report(more), fill=True)
    assert read(redis_url) == more


def test_foreign_value_is_an_error_that_names_what_to_do(store: ProofStore, redis_url: str) -> None:
    """It may be of a newer version."""
    store.publish(b"[1]")
    with pytest.raises(StateError, match=r"a report of proof cannot be read: .*; upgrade tacit, or the workers"):
        read(redis_url)


def test_key_of_another_type_does_not_end_the_run(redis_client: redis.Redis, store: ProofStore, redis_url: str) -> None:
    """It is replaced."""
    redis_client.hset(LIVE.proof, "a", "b")
    store.publish(DATA, fill=True)
    assert read(redis_url) == REPORT


@pytest.mark.parametrize("mode", [Mode.LIVE, Mode.FILL])
def test_sink_writes_reports_with_versions_and_without(mode: Mode, redis_url: str, store: ProofStore) -> None:
    """Runs that do not train write reports alone."""
    sink = PopulationSink(Target(redis_url, "eu", mode=mode, retry_for_s=5.0), SinkCounters()).build("out", 0, 1)
    sink.write_batch([write(1)])
    assert read(redis_url) is None
    sink.write_batch([ReportWrite(DATA)])
    assert read(redis_url) == REPORT
    sink.write_batch([write(2)._replace(report=DATA)])
    sink.close()
    assert read(redis_url) == REPORT
