"""Search for a user's bytes in every place that a deployment shows: Redis, state folder, cuts, files and topics."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.kafka.address import TopicAddress
from connectors.redis.client import COMMAND_RETRY_FOR_S, RedisClient
from connectors.redis.region_secret import require_secret
from dataflows.control.receipts import Kind, Sort
from dataflows.settings import Settings
from tacit.errors import ConfigurationError

if TYPE_CHECKING:
    from connectors.traces import Needles, Trace
    from connectors.traces.objects import Searched

_KINDS = {"gate": "tombstone", "changes": "tombstone", "signals": "learned", "history": "learned"}
"""Last part of a key with a user → kind of its content."""


@dataclass(frozen=True, slots=True)
class Place:
    """A place to search."""

    sort: Sort
    name: str
    """Name in a receipt."""
    find: "Callable[[Needles], Iterator[Trace]]"
    topic: TopicAddress | None = None
    """Address of a topic; None for another place."""

    def count(self, needles: "Needles") -> dict[Kind, int]:
        """Return the number of traces by kind."""
        return dict(Counter[Kind](trace.kind for trace in self.find(needles)))  # type: ignore[misc]  # a Trace has a str


def places_of(settings: Settings, look: Sequence[str]) -> list[Place]:
    """Return the places to search: Redis, state folder, cuts, and the files, folders and topics of `look`.

    Raises:
        ConfigurationError: a place to look at does not exist.
    """
    found = [Place("redis", f"redis, region {settings.region}", lambda needles: _in_redis(settings, needles))]
    if settings.state is not None:
        found.append(_files("state", settings.state))
    if settings.checkpoints is not None:
        found.append(_cuts(settings))
    return [*found, *(_looked_at(text, settings) for text in dict.fromkeys(look))]


def _looked_at(text: str, settings: Settings) -> Place:
    if not text.startswith("kafka:"):
        return _files("look", Path(text))
    address = settings.topic(text)
    return Place("look", str(address), lambda needles: _in_topic(address, needles), address)


def _cuts(settings: Settings) -> Place:
    """Return the cuts as a place that reads each object once, also if it is searched twice for the same user."""
    from connectors.traces.objects import find_object_traces  # clients of object storage take time to import
    from dataflows.cuts.bucket import open_bucket

    store = open_bucket(settings).store
    searched: dict[Needles, Searched] = {}

    def find(needles: "Needles") -> "Iterator[Trace]":
        return find_object_traces(store, needles, searched.setdefault(needles, {}))

    return Place("cuts", str(store.address), find)


def _files(sort: Sort, path: Path) -> Place:
    if not path.exists():
        raise ConfigurationError([f"{sort}: {path} does not exist; correct the path"])
    return Place(sort, str(path.absolute()), lambda needles: _in_files(path, needles))


def _in_files(path: Path, needles: "Needles") -> "Iterator[Trace]":
    from connectors.traces import find_traces

    return find_traces(path, needles)


def _in_redis(settings: Settings, needles: "Needles") -> "Iterator[Trace]":
    """Yield the traces by the key that has them: gate and feed are tombstones, a signals hash is learned."""
    from connectors.traces.redis_keys import find_redis_traces

    with closing(RedisClient(settings.redis, retry_for_s=COMMAND_RETRY_FOR_S)) as client:
        require_secret(client, settings.region, settings.secret_bytes)  # under another, all traces would be missing
        for trace in find_redis_traces(client, settings.region, needles):
            suffix = trace.place.rpartition(":")[2]
            yield trace._replace(kind=_KINDS.get(suffix, trace.kind) if trace.kind == "pseudonym" else trace.kind)


def _in_topic(address: TopicAddress, needles: "Needles") -> "Iterator[Trace]":
    from connectors.traces.topics import find_topic_traces

    return find_topic_traces(address, needles)
