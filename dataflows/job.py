"""Job of a run: its settings, its source, and whether it ends."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from threading import Event

from bytewax.outputs import DynamicSink

from connectors.files.reject_sink import FileRejectSink
from connectors.files.source import SUFFIXES, FileSource
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
from tacit.contract.catalogue import Catalogue
from tacit.contract.keys import LIVE
from tacit.contract.pseudonyms import fingerprint
from tacit.errors import ConfigurationError

Files = tuple[Path, ...]

LIVE_METRICS = "127.0.0.1:9464"
FILES = "files"
"""Name of a source of files in a state folder."""


def parse_source(texts: Sequence[str]) -> TopicAddress | Files:
    """Return the source that arguments name: one `kafka://HOST:PORT/TOPIC`, or files and folders.

    A folder stands for the event files directly in it, by name.

    >>> parse_source(["a.jsonl", "b.jsonl.gz"])
    (PosixPath('a.jsonl'), PosixPath('b.jsonl.gz'))

    Raises:
        ConfigurationError: a topic together with other sources, an invalid address, or a folder without event files.
    """
    if not any(text.startswith("kafka:") for text in texts):
        return tuple(path for text in texts for path in _files(Path(text)))
    if len(texts) > 1:
        raise ConfigurationError(["source: use one Kafka topic, or files and folders"])
    return TopicAddress.parse(texts[0])


def _files(path: Path) -> Files:
    if not path.is_dir():
        return (path,)
    try:
        found = tuple(sorted(child for child in path.iterdir() if is_event_file(child)))
    except OSError as error:
        raise ConfigurationError([f"source: the folder {path} cannot be read: {error.strerror}"]) from error
    if not found:
        raise ConfigurationError(
            [f"source: the folder {path} has no file with a name in {', '.join(SUFFIXES)}; check the path"]
        )
    return found


def is_event_file(path: Path) -> bool:
    """Return whether the name is that of an event file; hidden files are others' temporary files.

    A broken link counts: the source reports what it cannot read.
    """
    return path.name.endswith(SUFFIXES) and not path.name.startswith(".") and not path.is_dir()


def _reject_sink(destination: str) -> DynamicSink[AnyReject]:
    if destination.startswith("kafka:"):
        return KafkaRejectSink(TopicAddress.parse(destination))
    return FileRejectSink(Path(destination))


@dataclass(frozen=True, slots=True)
class Job:
    """One run: over `source` up to its current end if `bounded`, else without an end."""

    settings: Settings
    source: TopicAddress | Files
    bounded: bool

    @property
    def source_name(self) -> str:
        """Name of the source in a state folder: its topic, or `FILES`."""
        return f"topic {self.source.topic}" if isinstance(self.source, TopicAddress) else FILES

    @property
    def identity(self) -> Identity:
        """Identity of a state folder of this run."""
        settings = self.settings
        return Identity(
            settings.shards,
            settings.region,
            settings.namespace,
            self.source_name,
            fingerprint(settings.secret_bytes),
            identity=Catalogue.load(settings.catalogue).identity,
        )

    @property
    def metrics(self) -> str:
        """HOST:PORT of the metrics of the first process, or `off`."""
        return self.settings.metrics or ("off" if self.bounded else LIVE_METRICS)

    @property
    def log_level(self) -> str:
        """Lowest level that is logged."""
        return self.settings.log_level or ("warning" if self.bounded else "info")

    def require_redis(self) -> None:
        """Check Redis before the run starts.

        Raises:
            SinkError: Redis does not answer, or is not configured for writers.
        """
        if problems := redis_problems(self.settings.redis, self.settings.region):
            raise SinkError("; ".join(problems))

    def make_source(self, stop: Event, counters: SourceCounters) -> KafkaSource | FileSource:
        """Return the source, which ends after a checkpoint once `stop` is set."""
        if isinstance(self.source, TopicAddress):
            start = Start.parse(self.settings.start)
            return KafkaSource(self.source, start=start, bounded=self.bounded, stop=stop, counters=counters)
        return FileSource(self.source, stop=stop, counters=counters)

    def make_reject_sink(self) -> DynamicSink[AnyReject]:
        """Return the sink of rejects."""
        return _reject_sink(self.settings.rejects)

    def make_control_reject_sink(self) -> DynamicSink[AnyReject]:
        """Return the sink of control events that cannot be carried out."""
        return _reject_sink(self.settings.control_rejects_to)

    def target(self) -> Target:
        """Return the target of signals; a replay into the namespace `live` overwrites no newer signal."""
        settings = self.settings
        mode = Mode.LIVE if not self.bounded else Mode.FILL if settings.namespace == LIVE else Mode.REPLAY
        return Target(
            settings.redis, settings.region, settings.namespace, mode, settings.ttl_ms, settings.tombstones_ms
        )
