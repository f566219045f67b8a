"""Records → records grouped by the shard of their user, before the exchange between processes."""

from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from operators.decoders import Repaired, Undecodable, UndecodableError
from operators.parse import Parser
from operators.users import User
from state.counters import EventCounters
from state.events.records import Record, Records, Reject, ToAllShards
from state.storage.shards import shard_key
from tacit.contract.events import MAX_EVENT_BYTES

Group = tuple[str, Records | ToAllShards]
"""The key of a shard, and its records in order or an item for all shards."""

UNREAD = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError, UndecodableError)
"""Errors of records whose user id only a whole decoding finds."""


class Keyer:
    """Groups a batch of records by shard: the mapper of `flat_map_batch`.

    All records of a user go to one shard, in order. A record without a user is rejected here, and counted; the shard's
    parser decides about all others. An item for all shards follows the records.
    """

    def __init__(
        self, parser: Parser, shards: int, counters: EventCounters, round_now: Callable[[], int] = lambda: 0
    ) -> None:
        """Group by the shards of a parser.

        Args:
            parser: parser of the process.
            shards: count of shards.
            counters: counters of the process.
            round_now: returns the round in which the source of this process releases records.
        """
        self._parser = parser
        self._round_now = round_now
        self._read_user_id = parser.format.read_user_id
        self._find = parser.users.find
        self._keys = [shard_key(shard) for shard in range(shards)]
        self._counters = counters

    def __call__(self, records: Sequence[Record | ToAllShards]) -> Iterable[Group | Reject]:
        """Return a group for each shard that has records in this batch, then the rejects, then items for all shards."""
        groups: dict[int, Records] = {}
        rejects: list[Reject] = []
        ends: list[Group] = []
        for record in records:
            if not isinstance(record, Record):
                ends += self._to_all_shards(record)
                continue
            user = self._user(record)
            if isinstance(user, Reject):
                self._counters.count_reject(user)
                rejects.append(user)
            elif user.shard in groups:
                groups[user.shard].append(record)
            else:
                groups[user.shard] = Records((record,))
        if round_now := self._round_now():
            for group in groups.values():
                group.round = round_now
        return [*((self._keys[shard], group) for shard, group in groups.items()), *rejects, *ends]

    def _to_all_shards(self, item: ToAllShards) -> Iterator[Group]:
        for shard, key in enumerate(self._keys):
            yield key, item._replace(shard=shard)

    def _user(self, record: Record) -> User | Reject:
        read_user_id = self._read_user_id
        if read_user_id is not None and len(record.value) <= MAX_EVENT_BYTES:
            try:
                return self._find(read_user_id(record.value))
            except UNREAD:
                pass
        event = self._parser.format.decode(record.value)
        if isinstance(event, Undecodable):
            return self._parser.reject(record, event.reason, event.detail, event.control)
        return self._find((event.event if isinstance(event, Repaired) else event).user_id)
