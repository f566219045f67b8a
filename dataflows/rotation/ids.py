"""User ids of a rotation: from files of events or of ids, or from a topic of events."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from connectors.files.line_reader import LineReader
from connectors.files.window import MAX_WINDOW_MIB
from connectors.kafka.address import TopicAddress
from connectors.kafka.client_options import DEFAULT_CLIENT, ClientOptions
from connectors.traces.topics import read_values
from state.errors import SourceError

_LINES_AT_ONCE = 1000


class _Event(msgspec.Struct):
    """The one member of an event that counts here."""

    user_id: str


def read_ids(place: str, client: ClientOptions = DEFAULT_CLIENT) -> Iterator[str]:
    """Yield the user ids of a place, with repeats.

    Args:
        place: `kafka://…` with events, or a file (plain, `.gz`, `.zst`) with an event or a bare id per line.
        client: options of the Kafka client.

    Raises:
        SourceError: the place cannot be read.
    """
    values = read_values(TopicAddress.parse(place, client)) if place.startswith("kafka:") else _lines(Path(place))
    return _ids(values, is_topic=place.startswith("kafka:"))


def _lines(path: Path) -> Iterator[bytes]:
    if not path.is_file():
        raise SourceError(f"{path}: there is no such file; check the path")
    reader = LineReader(path, window_mib=MAX_WINDOW_MIB)
    try:
        while records := reader.read(_LINES_AT_ONCE):
            yield from (record.value for record in records)
    finally:
        reader.close()


def _ids(values: Iterable[bytes], *, is_topic: bool) -> Iterator[str]:
    for value in values:
        if value.lstrip().startswith(b"{"):
            try:
                yield msgspec.json.decode(value, type=_Event).user_id
            except (msgspec.MsgspecError, UnicodeDecodeError):
                continue  # a record that no worker accepts, either
        elif not is_topic and value:
            yield value.decode("utf-8", "surrogatepass")
