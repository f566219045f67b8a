"""Records → records grouped by the shard of their user, before the exchange between processes."""

from collections.abc import Iterable, Sequence

import msgspec

from operators.decoders import Repaired, Undecodable
from operators.parse import Parser
from state.counters import EventCounters
from state.events.records import Record, Records, Reject
from state.storage.shards import shard_key
from tacit.contract.events import MAX_EVENT_BYTES

Group = tuple[str, Records]
"""The key of a shard, and its records in order."""

UNREAD = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""Errors of records whose user id only a whole decoding finds."""


class Keyer:
    """Groups a batch of records by shard: the mapper of `flat_map_batch`.

    All records of a user go to one shard, in order. A record without a user is rejected here, and counted; the shard's
    parser decides about all others.
    """

    def __init__(self, parser: Parser, shards: int, counters: EventCounters) -> None:
        self._parser = parser
        self._read_user_id = parser.format.read_user_id
        self._find = parser.users.find
        self._keys = [shard_key(shard) for shard in range(shards)]
        self._counters = counters

    def __call__(self, records: Sequence[Record]) -> Iterable[Group | Reject]:
        """Return a group for each shard that has records in this batch, then the rejects."""
        groups: dict[int, Records] = {}
        rejects: list[Reject] = []
        for record in records:
            shard = self._shard(record)
            if isinstance(shard, Reject):
                self._counters.count_reject(shard)
                rejects.append(shard)
            elif shard in groups:
                groups[shard].append(record)
            else:
                groups[shard] = Records((record,))
        return [*((self._keys[shard], group) for shard, group in groups.items()), *rejects]

    def _shard(self, record: Record) -> int | Reject:
        read_user_id = self._read_user_id
        if read_user_id is not None and len(record.value) <= MAX_EVENT_BYTES:
            try:
                return self._find(read_user_id(record.value)).shard
            except UNREAD:
                pass
        event = self._parser.format.decode(record.value)
        if isinstance(event, Undecodable):
            return self._parser.reject(record, event.reason, event.detail, event.control)
        return self._find((event.event if isinstance(event, Repaired) else event).user_id).shard
