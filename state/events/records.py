"""Records, their origin, and rejects: of records, and of writes that Redis does not take."""

from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from typing import Any, NamedTuple, Self

import msgspec


class KafkaOrigin(NamedTuple):
    """A partition of a topic; the position of a record is its offset."""

    topic: str
    partition: int


class FileOrigin(NamedTuple):
    """A file; the position of a record is its line number, from 1."""

    file: str


Origin = KafkaOrigin | FileOrigin


CLOCK_TOLERANCE_MS = 5 * 60 * 1000
"""An event time further ahead of the record's own time is wrong."""


class Record(NamedTuple):
    """One record of a source: origin, position, bytes and time."""

    origin: Origin
    position: int
    value: bytes
    timestamp_ms: int = 0
    """The record's own time, epoch ms, which every reader of the record sees; 0: the source has none."""


class SampledRecord(Record):
    """Record with the trace context of its producer, until it is grouped by shard."""

    context: str
    """`traceparent` of the producer."""
    fetched_ns: int
    """Time of the fetch, Unix epoch nanoseconds."""

    @classmethod
    def of(cls, record: Record, context: str, fetched_ns: int) -> Self:
        """Return the record with its context."""
        sampled = cls(*record)
        sampled.context, sampled.fetched_ns = context, fetched_ns
        return sampled


class Sampled(NamedTuple):
    """A sampled record of a group."""

    place: int
    """Place of the record in the group."""
    context: str
    """`traceparent` of the span that read the record."""


class Records(list[Record]):
    """Records of one shard, in order: the item of the exchange between processes.

    Bytewax pickles an item that goes to another process. Pickled by columns, a record costs a third.

    >>> import pickle
    >>> records = Records([Record(KafkaOrigin("events", 3), 7, b"{}")])
    >>> pickle.loads(pickle.dumps(records)) == records
    True
    """

    round: int = 0
    """Round of a bounded run in which the source released the records; 0 in a live run."""
    sampled: tuple[Sampled, ...] = ()
    """Sampled records; none in a run without `--tracing`."""

    def __reduce__(self) -> tuple[Callable[..., "Records"], tuple[Iterable[object], ...], dict[str, Any]]:
        """Return the columns of the records, the round and the sampled ones."""
        return _from_columns, tuple(zip(*self, strict=True)), self.__dict__


def _from_columns(*columns: Iterable[Any]) -> Records:
    return Records(map(Record._make, zip(*columns, strict=True)))


class RoundEnd(NamedTuple):
    """Mark behind the last record of a source partition in a round (docs/learning.md)."""

    partition: str
    partitions: int
    """Count of all partitions of the run's source."""
    round: int
    is_last: bool
    """The partition has no further record."""
    shard: int = 0
    """Shard whose users have no further record of the partition in the round."""


class Restore(NamedTuple):
    """Mark of a source partition after Redis lost data: all gates and signals have to be written again.

    The partition has passed on every record that the topic held at the start of the run's source.
    """

    number: int
    """Number of the loss in this run, from 1."""
    partition: str
    partitions: int
    """Count of the partitions that pass such a mark on."""
    shard: int = 0


ToAllShards = RoundEnd | Restore
"""Items of a source for all shards."""


class Reason(StrEnum):
    """Reason of a reject. The pages show the text below each member."""

    NOT_JSON = "not_json"
    """The record is no JSON: broken syntax, an empty line, a byte order mark, invalid UTF-8 or lone surrogates."""
    UNREADABLE = "unreadable"
    """An Avro or Protobuf record has bytes that do not follow its schema, or no id of a schema."""
    INVALID = "invalid"
    """A field breaks its rule; `detail` is the path of the field and the rule, never the value."""
    TOO_LARGE = "too_large"
    """The record is larger than 16 KiB."""
    UNKNOWN_SCHEMA = "unknown_schema"
    """`schema` is not 1; or the registry has no schema for the record's id, or one that is not accepted."""
    NOT_IN_CATALOGUE = "not_in_catalogue"
    """The catalogue lacks a facet, value, topic, surface or feedback kind; `detail` is the path of the field."""
    FUTURE = "future"
    """An interaction is more than 5 minutes ahead of the record's own time."""
    WRONG_REGION = "wrong_region"
    """The event names another region than the worker's; a "no" counts only for a user who is unknown here."""
    LATE = "late"
    """An interaction is older than the user's newest event by more than the lateness."""


class Reject(NamedTuple):
    """A rejected record. The record itself is not copied: it may contain a user id."""

    reason: Reason
    detail: str
    origin: Origin
    position: int
    sha256: str
    at_ms: int
    """Wall clock at the rejection, epoch ms."""
    control: str = ""
    """Type of a control event; empty for any other record."""

    def place(self) -> dict[str, str | int]:
        """Return origin and position by the contract's names; invalid UTF-8 in a file name is escaped."""
        if isinstance(self.origin, KafkaOrigin):
            return {**self.origin._asdict(), "offset": self.position}
        return {"file": self.origin.file.encode(errors="backslashreplace").decode(), "line": self.position}

    def to_json(self) -> bytes:
        """Return the reject as the contract writes it: one JSON object, without the record.

        >>> Reject(Reason.NOT_JSON, "", FileOrigin("a.jsonl"), 7, "e3b0", 1795297433438).to_json()
        b'{"reason":"not_json","detail":"","origin":{"file":"a.jsonl","line":7},"sha256":"e3b0","at":1795297433438}'
        """
        return _as_json(self.reason, self.detail, self.place(), self.sha256, self.at_ms, self.control)


class WriteReject(NamedTuple):
    """A write of signals or of a gate that Redis never takes. The events behind the write are accepted events."""

    code: str
    """Error code of Redis or of the script: WRONGTYPE, BADVERSION, BADEPOCH, BADGATE."""
    key: str
    """The key that the error concerns."""
    sha256: str
    """Hash of the gate, or of the fields and values in order."""
    at_ms: int
    """Time of the attempt."""

    def place(self) -> dict[str, str]:
        """Return the key, by the contract's name."""
        return {"key": self.key}

    def to_json(self) -> bytes:
        """Return the reject as the contract writes it."""
        return _as_json("unwritable", self.code, self.place(), self.sha256, self.at_ms)


AnyReject = Reject | WriteReject
"""A record of the rejects topic or file."""


def _as_json(
    reason: str, detail: str, origin: Mapping[str, str | int], sha256: str, at_ms: int, control: str = ""
) -> bytes:
    members = {"reason": reason, "detail": detail, "origin": origin, "sha256": sha256, "at": at_ms}
    return msgspec.json.encode({**members, "control": control} if control else members)
