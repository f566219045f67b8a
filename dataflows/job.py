"""Job of a run: its settings, its source, and whether it ends."""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event
from typing import NamedTuple

from bytewax.outputs import DynamicSink

from connectors.event_log.source import EventLogSource
from connectors.files.paths import event_files
from connectors.files.reject_sink import FileRejectSink
from connectors.files.source import FileSource
from connectors.kafka.address import Start, TopicAddress
from connectors.kafka.client_options import DEFAULT_CLIENT, ClientOptions
from connectors.kafka.merged_source import MergedSource
from connectors.kafka.reject_sink import KafkaRejectSink
from connectors.kafka.source import KafkaSource
from connectors.null_sink import NullSink
from connectors.redis.client import RedisClient
from connectors.redis.fillings import Filling
from connectors.redis.health import redis_problems
from connectors.redis.target import Mode, Target
from dataflows.runtime.pace import Pace
from dataflows.selection import ALL_RECORDS, Selection
from dataflows.settings import Settings
from dataflows.state_folder import Identity
from operators.selecting_keyer import Selected
from state.counters import SourceCounters
from state.errors import SinkError
from state.events.records import AnyReject
from tacit.contract.catalogue import Catalogue
from tacit.contract.keys import LIVE
from tacit.contract.pseudonyms import fingerprint
from tacit.errors import ConfigurationError

Files = tuple[Path, ...]

Ranges = Mapping[str, Mapping[int, tuple[int, int]]]
"""Address of a topic → number of a partition → first offset and end."""

LIVE_METRICS = "127.0.0.1:9464"
FILES = "files"
"""Name of a source of files in a state folder."""
_LOG = "log "
"""Begin of the name of an event log in a state folder."""


_MIXED = (
    "source: use topics, or files and folders: lines have no record time that orders them among records; "
    "replay the files with --state DIR, then give the topic to tacit run --from-replay DIR"
)


class Topics(NamedTuple):
    """Several topics, in order."""

    addresses: tuple[TopicAddress, ...]


Source = TopicAddress | Topics | Files


def parse_source(texts: Sequence[str], client: ClientOptions = DEFAULT_CLIENT) -> Source:
    """Return the source that arguments name: topics, or files, folders, patterns and `-` for stdin.

    >>> parse_source(["a.jsonl", "b.jsonl.gz"])
    (PosixPath('a.jsonl'), PosixPath('b.jsonl.gz'))

    Raises:
        ConfigurationError: topics together with files, an invalid address, or a place without event files.
    """
    topics = [text for text in texts if text.startswith("kafka:")]
    if not topics:
        return event_files(texts)
    if len(topics) < len(texts):
        raise ConfigurationError([_MIXED])
    addresses = tuple(TopicAddress.parse(text, client) for text in topics)
    if len(addresses) == 1:
        return addresses[0]
    if repeated := [text for text, count in Counter(map(str, addresses)).items() if count > 1]:
        raise ConfigurationError([f"source: {text} is named twice; name each topic once" for text in repeated])
    return Topics(addresses)


def follows_log(identity: Identity) -> bool:
    """Return whether a state folder is of a run that follows an event log."""
    return identity.source.startswith(_LOG)


def _reject_sink(destination: str, settings: Settings) -> DynamicSink[AnyReject]:
    if destination.startswith("kafka:"):
        return KafkaRejectSink(settings.topic(destination))
    return FileRejectSink(Path(destination))


@dataclass(frozen=True, slots=True)
class Job:
    """One run: over `source` up to its current end if `bounded`, else without an end."""

    settings: Settings
    source: Source
    bounded: bool
    selection: Selection = ALL_RECORDS
    """Records of a bounded run; of a run without an end, users and ranges are not selected."""
    again: bool = False
    """Starts over in a state folder that has been used."""
    adds_files: bool = False
    """Reads further files after those that the state folder remembers."""
    ranges: Ranges = field(default_factory=dict)
    """Offsets to read of each topic of a bounded run, once they are known."""
    filling: Filling | None = None
    """The run as a filling of its namespace; only of a bounded run that writes, once its inputs are known."""
    adopts: bool = False
    """True for a live run that takes a namespace whose signals come from another state."""
    pace: Pace | None = None
    """Limit of the records per second; None: the run has none."""
    is_dry: bool = False
    """True for a run that counts what it would write, and writes nothing."""
    on_hosts: bool = False
    """True for a bounded run on the hosts of the settings; a run without an end is on all that are set."""
    resumes: bool = False
    """True for a run that resumes on several hosts, also where the state folder of this one has no user."""

    @property
    def topics(self) -> tuple[TopicAddress, ...]:
        """Topics of the source; none for files."""
        if isinstance(self.source, TopicAddress):
            return (self.source,)
        return self.source.addresses if isinstance(self.source, Topics) else ()

    @property
    def files(self) -> Files:
        """Files of the source, in a run without an end its one log; none for topics."""
        return () if isinstance(self.source, TopicAddress | Topics) else self.source

    @property
    def selected(self) -> Selected:
        """Records to process; a range of a topic is the source's."""
        selection = self.selection
        return Selected(selection.users, *selection.event_times) if self.files else Selected(selection.users)

    @property
    def source_name(self) -> str:
        """Name of the source in a state folder: its topics, its log, or `FILES`."""
        if not self.bounded and self.files:
            return f"{_LOG}{self.files[0].name}"
        names = [address.topic for address in self.topics]
        return f"topic{'s' * (len(names) > 1)} {', '.join(names)}" if names else FILES

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
    def tracing(self) -> str | None:
        """URL of the collector of spans; None in a bounded run, whose events have no producer that waits."""
        return None if self.bounded else self.settings.tracing

    @property
    def log_level(self) -> str:
        """Lowest level that is logged."""
        return self.settings.log_level or ("warning" if self.bounded else "info")

    @property
    def share(self) -> tuple[int, int]:
        """Number of this host, and the number of hosts; a shared file may set hosts that are not for this run."""
        settings = self.settings
        if not settings.host_addresses or (self.bounded and not self.on_hosts):
            return 0, 1
        return settings.host_number or 0, len(settings.host_addresses)

    def require_redis(self) -> None:
        """Check Redis before the run starts; a dry run needs no right to write.

        Raises:
            SinkError: Redis does not answer, or is not configured for writers.
        """
        if self.is_dry:
            with closing(RedisClient(self.settings.redis, retry_for_s=0)) as client:
                client.execute(("PING",), client.home)
            return
        if problems := redis_problems(self.settings.redis, self.settings.region):
            raise SinkError("; ".join(problems))

    def make_source(
        self, stop: Event, counters: SourceCounters
    ) -> KafkaSource | MergedSource | FileSource | EventLogSource:
        """Return the source, which ends after a checkpoint once `stop` is set."""
        settings = self.settings
        if isinstance(self.source, TopicAddress):
            start, to = self._range_of(self.source) if self.bounded else (Start.parse(settings.start), None)
            return KafkaSource(
                self.source,
                start=start,
                bounded=self.bounded,
                stop=stop,
                counters=counters,
                on_gap=settings.on_gap,
                group=None if self.bounded else settings.group,
                to=to,
                samples=self.tracing is not None,
            )
        if isinstance(self.source, Topics):
            reads = [(address, *self._range_of(address)) for address in self.topics]
            return MergedSource(reads, stop=stop, counters=counters, on_gap=settings.on_gap)
        if not self.bounded:
            return EventLogSource(self.source[0], stop=stop, counters=counters)
        return FileSource(
            self.source, stop=stop, counters=counters, folder=settings.state, window_mib=settings.zstd_window_mib
        )

    def _range_of(self, address: TopicAddress) -> tuple[Start, Start | None]:
        """Return the start and the end of a topic in a bounded run."""
        partitions = self.ranges.get(str(address))
        if partitions is None:
            return self.selection.start, self.selection.to
        starts = tuple((number, start) for number, (start, _) in partitions.items())
        ends = tuple((number, end) for number, (_, end) in partitions.items())
        return Start("offset", offsets=starts), Start("offset", offsets=ends)

    def make_reject_sink(self) -> DynamicSink[AnyReject]:
        """Return the sink of rejects."""
        if self.is_dry:
            return NullSink()
        return _reject_sink(self.settings.rejects, self.settings)

    def make_control_reject_sink(self) -> DynamicSink[AnyReject]:
        """Return the sink of control events that cannot be carried out."""
        if self.is_dry:
            return NullSink()
        return _reject_sink(self.settings.control_rejects_to, self.settings)

    def target(self) -> Target:
        """Return the target of signals; a replay into the namespace `live` overwrites no newer signal."""
        settings = self.settings
        mode = Mode.LIVE if not self.bounded else Mode.FILL if settings.namespace == LIVE else Mode.REPLAY
        return Target(
            settings.redis, settings.region, settings.namespace, mode, settings.ttl_ms, settings.tombstones_ms
        )
