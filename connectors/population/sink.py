"""Bytewax sink of population versions and reports of proof: the state folder's file first, then Redis."""

from pathlib import Path

from bytewax.outputs import DynamicSink, StatelessSinkPartition

from connectors.population.file_store import PopulationFileStore
from connectors.population.proof_store import ProofStore
from connectors.population.redis_store import PopulationRedisStore
from connectors.redis.client import RedisClient
from connectors.redis.signal_sink import RESUME
from connectors.redis.target import Mode, Target
from state.counters import SinkCounters
from state.learning.population_version import PopulationWrite
from state.learning.proof_report import ReportWrite
from tacit.contract.keys import RegionKeys


class PopulationSink(DynamicSink[PopulationWrite | ReportWrite]):
    """Sink of the worker that trains; a version is done when the file is durable and Redis has acknowledged it.

    The file comes first, as a rebuild can restore Redis from the file.
    """

    def __init__(self, target: Target, counters: SinkCounters, file: Path | None = None) -> None:
        self._target = target
        self._counters = counters
        self._file = file

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "PopulationSinkPartition":  # noqa: ARG002  Bytewax passes all three
        """Return a worker's partition, which connects at its first write."""
        return PopulationSinkPartition(self._target, self._counters, self._file)


class PopulationSinkPartition(StatelessSinkPartition[PopulationWrite | ReportWrite]):
    """One worker's partition of `PopulationSink`.

    Raises:
        ConfigurationError: the URL, region or namespace is invalid.
    """

    def __init__(self, target: Target, counters: SinkCounters, file: Path | None) -> None:
        self._counters = counters
        client = RedisClient(target.url, retry_for_s=target.retry_for_s, on_retry=self._count_retry, advice=RESUME)
        keys = RegionKeys(target.region).within(target.namespace)
        self._store, self._proof = PopulationRedisStore(client, keys), ProofStore(client, keys)
        self._fill = target.mode is Mode.FILL
        self._file = PopulationFileStore(file) if file else None

    def write_batch(self, items: list[PopulationWrite | ReportWrite]) -> None:
        """Write versions and reports, oldest first.

        Raises:
            SinkError: Redis rejects commands, or does not accept them in time.
            StateError, StorageError: as `PopulationFileStore.write`.
        """
        for write in items:
            if isinstance(write, PopulationWrite):
                if self._file:
                    self._file.write(write)
                self._store.publish(write, fill=self._fill)
            if write.report:
                self._proof.publish(write.report, fill=self._fill)

    def close(self) -> None:
        """Close the connection."""
        self._store.close()

    def _count_retry(self, commands: int, _: set[str]) -> None:
        self._counters.retries += commands  # the writer of signals logs the outage
