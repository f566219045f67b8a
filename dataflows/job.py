"""What a run is to do: settings, where events come from, and whether it ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from bytewax.outputs import DynamicSink

from connectors.files.reject_sink import FileRejectSink
from connectors.files.source import FileSource
from connectors.kafka.address import Start, TopicAddress
from connectors.kafka.reject_sink import KafkaRejectSink
from connectors.kafka.source import KafkaSource
from connectors.redis.health import redis_problems
from connectors.redis.target import Mode, Target
from dataflows.settings import Settings
from dataflows.state_folder import Identity
from state.counters import SourceCounters
from state.errors import SinkError
from state.events.records import AnyReject
from tacit.contract.keys import LIVE
from tacit.contract.pseudonyms import fingerprint
from tacit.errors import ConfigurationError

Files = tuple[Path, ...]

LIVE_METRICS = "127.0.0.1:9464"
FILES = "files"
"""What a state folder remembers of a source that was files."""


def parse_source(words: Sequence[str]) -> TopicAddress | Files:
    """Read a source as people write it: one `kafka://HOST:PORT/TOPIC`, or files.

    >>> parse_source(["a.jsonl", "b.jsonl.gz"])
    (PosixPath('a.jsonl'), PosixPath('b.jsonl.gz'))
    """
    if not any(word.startswith("kafka:") for word in words):
        return tuple(Path(word) for word in words)
    if len(words) > 1:
        raise ConfigurationError(["source: give one Kafka topic, or files, not both"])
    return TopicAddress.parse(words[0])


@dataclass(frozen=True, slots=True)
class Job:
    """One run: for ever, or over `source` as it is now if `bounded`."""

    settings: Settings
    source: TopicAddress | Files
    bounded: bool

    @property
    def source_name(self) -> str:
        """What a state folder remembers of the source: a topic, or that it was files."""
        return f"topic {self.source.topic}" if isinstance(self.source, TopicAddress) else FILES

    @property
    def identity(self) -> Identity:
        """What a state folder of this run is made for."""
        settings = self.settings
        secret = fingerprint(settings.secret_bytes)
        return Identity(settings.shards, settings.region, settings.namespace, self.source_name, secret)

    @property
    def metrics(self) -> str:
        """HOST:PORT of the first process's metrics, or `off`."""
        return self.settings.metrics or ("off" if self.bounded else LIVE_METRICS)

    @property
    def log_level(self) -> str:
        """What is logged, at least."""
        return self.settings.log_level or ("warning" if self.bounded else "info")

    def require_redis(self) -> None:
        """Look at Redis before anything is begun.

        Raises:
            SinkError: it does not answer, or could not be relied on.
        """
        if problems := redis_problems(self.settings.redis, self.settings.region):
            raise SinkError("; ".join(problems))

    def make_source(self, stop: Event, counters: SourceCounters) -> KafkaSource | FileSource:
        """Return the source; setting `stop` ends it in an orderly way."""
        if isinstance(self.source, TopicAddress):
            start = Start.parse(self.settings.start)
            return KafkaSource(self.source, start=start, bounded=self.bounded, stop=stop, counters=counters)
        return FileSource(self.source, stop=stop, counters=counters)

    def make_reject_sink(self) -> DynamicSink[AnyReject]:
        """Return where rejects go."""
        rejects = self.settings.rejects
        if rejects.startswith("kafka:"):
            return KafkaRejectSink(TopicAddress.parse(rejects))
        return FileRejectSink(Path(rejects))

    def target(self) -> Target:
        """Return where signals go; history written into the live namespace only fills what is missing or older."""
        settings = self.settings
        mode = Mode.LIVE if not self.bounded else Mode.FILL if settings.namespace == LIVE else Mode.REPLAY
        return Target(settings.redis, settings.region, settings.namespace, mode, settings.ttl_ms)
