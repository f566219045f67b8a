"""Dataflow that reads a topic; also a program that a test may kill and start again.

`python -m tests.support.kafka_reader SERVERS TOPIC STATE_FOLDER OUTPUT_FILE` reads live and appends a line per record.
"""

import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from threading import Event, Timer

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.outputs import DynamicSink, StatelessSinkPartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import cluster_main, run_main

from connectors.kafka.address import Start, TopicAddress
from connectors.kafka.source import KafkaSource, OnGap
from dataflows.graph import FLOW_ID
from dataflows.recovery_store import source_parts
from state.counters import SourceCounters
from state.events.records import KafkaOrigin, Record
from tacit.errors import TacitError
from tests.support.kafka_topics import Kafka

GIVE_UP_S = 30.0
"""Time limit of a live read; afterwards the assertion of the test fails."""


class Watched(DynamicSink[Record], StatelessSinkPartition[Record]):
    """Sink that keeps records and calls a function after each batch."""

    def __init__(self, after_batch: Callable[[list[Record]], object]) -> None:
        self.records: list[Record] = []
        self._after_batch = after_batch

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "Watched":  # noqa: ARG002  # Bytewax's names
        return self

    def write_batch(self, items: list[Record]) -> None:
        self.records += items
        self._after_batch(self.records)


class Reading:
    """Read of one topic by one dataflow; `until` ends a live read, `after_batch` runs after each batch."""

    def __init__(
        self, kafka: Kafka, topic: str, *, state: Path | None = None, on_gap: OnGap = "stop", group: str | None = None
    ) -> None:
        self.stop = Event()
        self._on_gap = on_gap
        self._group = group
        self.counters = SourceCounters()
        self._address = TopicAddress((kafka.servers,), topic)
        self._state = state
        if state is not None and not state.exists():
            state.mkdir()
            init_db_dir(state, 1)

    def bounded(
        self,
        start: str = "earliest",
        *,
        after_batch: Callable[[list[Record]], object] = lambda _: None,
        workers: int = 1,
    ) -> list[Record]:
        """Read up to the current end."""
        sink = Watched(after_batch)
        self._run(self.source(start, bounded=True), sink, workers)
        return sink.records

    def live(self, start: str = "earliest", *, until: Callable[[list[Record]], object]) -> list[Record]:
        """Read until `until(records)` is true after some batch."""

        def after_batch(records: list[Record]) -> None:
            if until(records):
                self.stop.set()

        sink = Watched(after_batch)
        self._run(self.source(start, bounded=False), sink)
        return sink.records

    def source(self, start: str = "earliest", *, bounded: bool) -> KafkaSource:
        return KafkaSource(
            self._address,
            start=Start.parse(start),
            bounded=bounded,
            stop=self.stop,
            counters=self.counters,
            on_gap=self._on_gap,
            group=self._group,
        )

    def _run(self, source: KafkaSource, sink: Watched, workers: int = 1) -> None:
        if self._state is not None:
            source.resume_parts(source_parts(self._state))
        watchdog = Timer(GIVE_UP_S, self.stop.set)
        watchdog.start()
        recovery = None if self._state is None else RecoveryConfig(str(self._state))
        try:
            cluster_main(
                _flow(source, sink),
                [],
                0,
                epoch_interval=timedelta(0),
                recovery_config=recovery,
                worker_count_per_proc=workers,
            )
            source.confirm_end()
        finally:
            watchdog.cancel()


def values(records: list[Record], partition: int | None = None) -> list[bytes]:
    """Return the values of one or all partitions in the order of arrival."""
    return [r.value for r in records if partition is None or r.origin == KafkaOrigin(r.origin[0], partition)]


@contextmanager
def refused(error: type[TacitError], match: str) -> Iterator[None]:
    """Expect the end of a dataflow by an error of Tacit, which Bytewax wraps."""
    with pytest.raises(Exception) as caught:  # noqa: PT011  # the cause is checked below
        yield
    cause: BaseException | None = caught.value
    while cause is not None and not isinstance(cause, error):
        cause = cause.__cause__
    assert cause is not None, f"no {error.__name__} in {caught.value!r}"
    assert match in str(cause)


def _flow(source: KafkaSource, sink: DynamicSink[Record]) -> Dataflow:
    flow = Dataflow(FLOW_ID)
    op.output("write", op.input("source", flow, source), sink)
    return flow


def main(servers: str, topic: str, state: str, output: str) -> None:
    """Read live until SIGTERM."""
    reading = Reading(Kafka(servers), topic, state=Path(state))
    signal.signal(signal.SIGTERM, lambda *_: reading.stop.set())
    with Path(output).open("ab", buffering=0) as lines:
        written = 0

        def after_batch(records: list[Record]) -> None:
            nonlocal written
            lines.write(b"".join(record.value + b"\n" for record in records[written:]))
            written = len(records)

        flow = _flow(reading.source(bounded=False), Watched(after_batch))
        run_main(flow, epoch_interval=timedelta(seconds=0.2), recovery_config=RecoveryConfig(state))


if __name__ == "__main__":
    main(*sys.argv[1:])
