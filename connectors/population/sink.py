"""Versions of the population belief, into the state folder's file and then into Redis."""

from pathlib import Path

from bytewax.outputs import DynamicSink, StatelessSinkPartition

from connectors.population.file_store import PopulationFileStore
from connectors.population.redis_store import PopulationRedisStore
from connectors.redis.client import RedisClient
from connectors.redis.signal_sink import Mode, Target
from state.counters import SinkCounters
from state.learning.population_version import PopulationWrite
from tacit.contract.keys import RegionKeys


class PopulationSink(DynamicSink[PopulationWrite]):
    """The worker that learns writes its versions; one is done when the file is durable and Redis has acknowledged it.

    The file comes first: what Redis holds, a rebuild can bring back.
    """

    def __init__(self, target: Target, counters: SinkCounters, file: Path | None = None) -> None:
        self._target = target
        self._counters = counters
        self._file = file

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "PopulationSinkPartition":  # noqa: ARG002  Bytewax passes all three
        """Return a worker's part, with a connection of its own, which a worker that learns nothing never opens."""
        return PopulationSinkPartition(self._target, self._counters, self._file)


class PopulationSinkPartition(StatelessSinkPartition[PopulationWrite]):
    """One worker's part of `PopulationSink`.

    Raises:
        ConfigurationError: the URL, region or namespace cannot be.
    """

    def __init__(self, target: Target, counters: SinkCounters, file: Path | None) -> None:
        self._counters = counters
        client = RedisClient(target.url, retry_for_s=target.retry_for_s, on_retry=self._note_retry)
        self._store = PopulationRedisStore(client, RegionKeys(target.region).within(target.namespace))
        self._fill = target.mode is Mode.FILL
        self._file = PopulationFileStore(file) if file else None

    def write_batch(self, items: list[PopulationWrite]) -> None:
        """Write versions, oldest first.

        Raises:
            SinkError: Redis refused for a reason that does not pass, or did not answer in time.
            StateError, StorageError: as `PopulationFileStore.write`.
        """
        for write in items:
            if self._file:
                self._file.write(write)
            self._store.publish(write, fill=self._fill)

    def close(self) -> None:
        """Close the connection."""
        self._store.close()

    def _note_retry(self, commands: int, _: set[str]) -> None:
        self._counters.retries += commands  # the signals' writer, which meets the same Redis, says it in the log
