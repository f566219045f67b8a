"""Rejects as a topic or a file holds them, and the marks of those that were fed back."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import msgspec

from connectors.files.chained_file import ChainedFile
from connectors.kafka.records import held_records
from dataflows.settings import Settings
from state.events.records import FileOrigin, KafkaOrigin, Origin
from tacit.errors import ConfigurationError

_TOPIC = re.compile(r"(?P<topic>[A-Za-z0-9._-]+)/(?P<partition>[0-9]{1,9})/(?P<offset>[0-9]{1,18})")
_FILE = re.compile(r"(?P<file>.+):(?P<line>[0-9]{1,18})", re.DOTALL)


class Place(NamedTuple):
    """Place of a record: its origin and position."""

    origin: Origin
    position: int

    @classmethod
    def parse(cls, text: str) -> "Place":
        """Parse `TOPIC/PARTITION/OFFSET` or `FILE:LINE`.

        >>> Place.parse("events/0/42"), Place.parse("history/a.jsonl:7").position
        (Place(origin=KafkaOrigin(topic='events', partition=0), position=42), 7)

        Raises:
            ConfigurationError: the text has another form.
        """
        if found := _TOPIC.fullmatch(text):
            return cls(KafkaOrigin(found["topic"], int(found["partition"])), int(found["offset"]))
        if found := _FILE.fullmatch(text):
            return cls(FileOrigin(found["file"]), int(found["line"]))
        raise ConfigurationError(
            [f"origin: {text!r} is no TOPIC/PARTITION/OFFSET and no FILE:LINE; use one of tacit rejects list"]
        )

    def __str__(self) -> str:
        if isinstance(self.origin, KafkaOrigin):
            return f"{self.origin.topic}/{self.origin.partition}/{self.position}"
        return f"{self.origin.file}:{self.position}"


class StoredReject(msgspec.Struct, frozen=True):
    """One reject, of a record or of a write."""

    reason: str
    """A `state.events.records.Reason`, or `unwritable` for a write; a newer version may have others."""
    detail: str
    origin: Mapping[str, str | int]
    sha256: str
    at: int
    """Time of the rejection, epoch ms."""
    control: str = ""
    """Type of a control event; empty for any other record."""

    @property
    def place(self) -> Place | None:
        """Place of the record; None for a write, which has a key."""
        match self.origin:
            case {"topic": str(topic), "partition": int(partition), "offset": int(offset)}:
                return Place(KafkaOrigin(topic, partition), offset)
            case {"file": str(file), "line": int(line)}:
                return Place(FileOrigin(file), line)
        return None

    @property
    def key(self) -> tuple[str, str]:
        """Origin and hash: the same for a reject that was written twice."""
        return self.name, self.sha256

    @property
    def name(self) -> str:
        """Origin as text: the place of the record, or the key of the write."""
        return str(self.place or self.origin.get("key", ""))


class Mark(msgspec.Struct, frozen=True):
    """Note that a record was fed back."""

    retried: str
    """Origin of the reject."""
    rejected: str
    """Hash of the rejected record: a file or topic that was made again may have another one at this origin."""
    sha256: str
    """Hash of the record that was fed, as it was or repaired."""
    at: int
    to: str
    """The topic or file that took the record."""


class Unreadable(NamedTuple):
    """A line or record that is neither a reject nor a mark, such as a line that a crash cut off."""


Stored = StoredReject | Mark | Unreadable

_decode_reject = msgspec.json.Decoder(StoredReject).decode
_decode_mark = msgspec.json.Decoder(Mark).decode


def destinations(settings: Settings) -> list[str]:
    """Return the destinations of rejects: that of control events first, as a user's choice matters most."""
    return list(dict.fromkeys([settings.control_rejects_to, settings.rejects]))


def read_stored(settings: Settings, destination: str) -> Iterator[Stored]:
    """Yield the rejects and marks of a topic or file, oldest first; a missing file has none.

    Raises:
        SourceError: the topic or file cannot be read.
    """
    if destination.startswith("kafka:"):
        address = settings.topic(destination)
        yield from (decode(record.value) for record in held_records(address))
        return
    for path in (Path(destination), marks_path(Path(destination))):
        if path.exists():
            yield from (decode(line) for line in ChainedFile(path).lines() if line)


def decode(line: bytes) -> Stored:
    """Return the content of a line or record.

    >>> decode(b"{")
    Unreadable()
    """
    for read in (_decode_reject, _decode_mark):
        try:
            return read(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            continue
    return Unreadable()


def marks_path(rejects: Path) -> Path:
    """Return the file of marks next to a file of rejects; no run takes it for an event file.

    >>> marks_path(Path("tacit-rejects.jsonl"))
    PosixPath('tacit-rejects.jsonl.retried')
    """
    return rejects.with_name(f"{rejects.name}.retried")
