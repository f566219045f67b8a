"""Bytes → observations grouped by shard, or rejects."""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

from operators.clock import wall_clock_ms
from operators.decoders import Decode, Undecodable, json
from state.catalogue.numbered import NumberedCatalogue
from state.counters import EventCounters
from state.events.observation import NotInCatalogueError, Observation, TooManyValuesError, pack, resolve
from state.events.records import Reason, Record, Reject
from state.storage.shards import shard_key, shard_of
from tacit.contract.events import MAX_EVENT_BYTES, Event, Interaction
from tacit.contract.pseudonyms import pseudonym

FUTURE_TOLERANCE_MS = 5 * 60 * 1000
"""An interaction further ahead of the wall clock is rejected as `future`."""

Group = tuple[str, list[bytes]]
"""The key of a shard, and packed observations in order."""


class Parser:
    """Decodes, checks and groups a batch of records: the mapper of `flat_map_batch`.

    Every record becomes an observation, or a reject that is counted here.
    """

    def __init__(
        self,
        *,
        catalogue: NumberedCatalogue,
        region: str,
        secret: bytes,
        shards: int,
        counters: EventCounters,
        clock: Callable[[], int] = wall_clock_ms,
        decode: Decode = json.decode,
    ) -> None:
        self._decode = decode
        self._catalogue = catalogue
        self._region = region
        self._secret = secret
        self._keys = [shard_key(shard) for shard in range(shards)]
        self._counters = counters
        self._clock = clock

    def __call__(self, records: Sequence[Record]) -> Iterable[Group | Reject]:
        """Return a group for each shard that has events in this batch, then the rejects."""
        now_ms = self._clock()
        groups: dict[int, list[bytes]] = {}
        rejects: list[Reject] = []
        shards = len(self._keys)
        for record in records:
            parsed = self.parse(record, now_ms)
            if isinstance(parsed, Reject):
                self._counters.rejects[parsed.reason] += 1
                rejects.append(parsed)
                continue
            shard = shard_of(parsed.user, shards)
            if shard in groups:
                groups[shard].append(pack(parsed))
            else:
                groups[shard] = [pack(parsed)]
        return [*((self._keys[shard], packed) for shard, packed in groups.items()), *rejects]

    def parse(self, record: Record, now_ms: int) -> Observation | Reject:
        """Return the observation or the reject of a record."""
        if len(record.value) > MAX_EVENT_BYTES:
            return _reject(record, Reason.TOO_LARGE, f"over {MAX_EVENT_BYTES} bytes", now_ms)
        event = self._decode(record.value)
        if isinstance(event, Undecodable):
            return _reject(record, event.reason, event.detail, now_ms)
        if event.region != self._region:
            return _reject(record, Reason.WRONG_REGION, f"this worker's region is {self._region}", now_ms)
        at_ms = event.at
        if at_ms > now_ms:
            if is_control(event):
                at_ms = now_ms
            elif at_ms > now_ms + FUTURE_TOLERANCE_MS:
                return _reject(record, Reason.FUTURE, f"{(at_ms - now_ms) / 1000:.0f} s ahead of the clock", now_ms)
        return self._resolve(event, at_ms, record, now_ms)

    def _resolve(self, event: Event, at_ms: int, record: Record, now_ms: int) -> Observation | Reject:
        user = pseudonym(event.user_id, self._secret)
        checksum = sha256(record.value).digest()
        try:
            return resolve(event, user, at_ms, self._catalogue, record.origin, record.position, checksum)
        except NotInCatalogueError as error:
            return _reject(record, Reason.NOT_IN_CATALOGUE, str(error), now_ms)
        except TooManyValuesError as error:
            return _reject(record, Reason.INVALID, f"{error}: takes one value", now_ms)


def is_control(event: Event) -> bool:
    """Return whether the event is a control event (consent, pin, forget), which a wrong clock must not lose."""
    return not isinstance(event, Interaction)


def _reject(record: Record, reason: Reason, detail: str, now_ms: int) -> Reject:
    return Reject(reason, detail, record.origin, record.position, sha256(record.value).hexdigest(), now_ms)
