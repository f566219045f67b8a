"""Records of rejects at their origin, verified by the hash in the reject."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from connectors.files.line_reader import LineReader
from connectors.kafka.address import TopicAddress
from connectors.kafka.records import records_at
from dataflows.rejects.stored import Place, StoredReject
from dataflows.settings import Settings
from state.errors import SourceError
from state.events.records import KafkaOrigin, Record
from tacit.errors import ConfigurationError

_LINES = 1000


class Found(NamedTuple):
    """Record of a reject."""

    record: Record
    key: bytes | None = None
    """Key in the topic."""


class Missing(NamedTuple):
    """Reason why there is no such record; the text repeats nothing of a record."""

    text: str


def find_record(settings: Settings, reject: StoredReject, look: Sequence[str] = ()) -> Found | Missing:
    """Return the record of one reject. Arguments and errors as in `find_records`."""
    return next(found for _, found in find_records(settings, [reject], look))


def find_records(
    settings: Settings, rejects: Iterable[StoredReject], look: Sequence[str] = ()
) -> Iterator[tuple[StoredReject, Found | Missing]]:
    """Yield each reject with its record, in the order of positions, one origin after the other.

    Args:
        settings: the source, and the topic of rejects: the cluster in which topics of origins are.
        rejects: rejects of records and writes.
        look: topics, files and folders in which the records of origins are now.

    Raises:
        ConfigurationError: no cluster is known for the topic of an origin.
        SourceError: a topic or file cannot be read.
    """
    by_origin = defaultdict[object, list[StoredReject]](list)
    for reject in rejects:
        place = reject.place
        if place is None:
            yield reject, Missing("a write has no record")
        else:
            by_origin[place.origin].append(reject)
    for origin, wanted in by_origin.items():
        positions = sorted(set(map(_position, wanted)))
        if isinstance(origin, KafkaOrigin):
            records = _in_topic(_address(settings, origin, look), origin, positions)
        else:
            records = _in_file(_path(wanted[0].place, look), wanted[0].place, positions)
        for reject in sorted(wanted, key=_position):
            yield reject, _verified(records.get(_position(reject)), reject)


def _position(reject: StoredReject) -> int:
    place = reject.place
    return place.position if place else 0


def _verified(found: Found | None, reject: StoredReject) -> Found | Missing:
    if found is None:
        return Missing("the origin does not hold the record any more: retention or another file")
    if sha256(found.record.value).hexdigest() != reject.sha256:
        return Missing("the origin holds another record: its hash is not that of the reject")
    return found


def _in_topic(address: TopicAddress, origin: KafkaOrigin, offsets: Sequence[int]) -> Mapping[int, Found]:
    return {
        held.offset: Found(Record(origin, held.offset, held.value, held.timestamp_ms), held.key or None)
        for held in records_at(address, origin.partition, offsets)
    }


def _in_file(path: Path, place: Place | None, lines: Sequence[int]) -> Mapping[int, Found]:
    """Return the lines of a file; a file that is damaged before the last of them is an error."""
    assert place is not None  # noqa: S101  # a file is the origin of a record
    wanted, found = set(lines), dict[int, Found]()
    reader = LineReader(path)
    try:
        while len(found) < len(wanted) and (records := reader.read(_LINES)):
            for record in records:
                if record.position in wanted:
                    found[record.position] = Found(record._replace(origin=place.origin))
    finally:
        reader.close()
    return found


def _path(place: Place | None, look: Sequence[str]) -> Path:
    """Return the file of an origin: the one that `look` names, or has in a folder, or else the path itself."""
    assert place is not None  # noqa: S101  # a file is the origin of a record
    path = Path(str(place).rpartition(":")[0])
    for given in (Path(text) for text in look if not text.startswith("kafka:")):
        if given.is_dir() and (given / path.name).is_file():
            return given / path.name
        if given.name == path.name and given.is_file():
            return given
    if not path.is_file():
        raise SourceError(
            f"{path}: there is no such file here; name the file, or the folder that has it now, by --look PATH"
        )
    return path


def _address(settings: Settings, origin: KafkaOrigin, look: Sequence[str]) -> TopicAddress:
    """Return the address of an origin's topic, in the cluster of a topic that is known."""
    known = [*look, settings.source or "", settings.rejects]
    addresses = [settings.topic(text) for text in known if text.startswith("kafka:")]
    for address in addresses:
        if address.topic == origin.topic:
            return address
    if not addresses:
        raise ConfigurationError(
            [f"source: the cluster of topic {origin.topic} is unknown; name it by --source kafka://HOST:PORT/TOPIC"]
        )
    return addresses[0]._replace(topic=origin.topic)
