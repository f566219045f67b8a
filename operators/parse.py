"""Bytes → observations grouped by shard, or rejects."""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

from msgspec.structs import replace

from operators.clock import wall_clock_ms
from operators.decoders import Decode, Repaired, Undecodable, json
from state.catalogue.numbered import NumberedCatalogue
from state.counters import EventCounters
from state.events.observation import (
    NotInCatalogueError,
    Observation,
    TooManyValuesError,
    pack,
    resolve,
    resolve_control,
)
from state.events.records import CLOCK_TOLERANCE_MS, Reason, Record, Reject
from state.storage.shards import shard_key, shard_of
from tacit.contract.events import Consent, ControlEvent, Forget, Interaction
from tacit.contract.pseudonyms import pseudonym

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
        self._other_region = f"this worker's region is {region}"
        self._secret = secret
        self._keys = [shard_key(shard) for shard in range(shards)]
        self._counters = counters
        self._clock = clock

    def __call__(self, records: Sequence[Record]) -> Iterable[Group | Reject]:
        """Return a group for each shard that has events in this batch, then the rejects."""
        groups: dict[int, list[bytes]] = {}
        rejects: list[Reject] = []
        shards = len(self._keys)
        for record in records:
            parsed = self.parse(record)
            if isinstance(parsed, Reject):
                self._counters.count_reject(parsed)
                rejects.append(parsed)
                continue
            shard = shard_of(parsed.user, shards)
            if shard in groups:
                groups[shard].append(pack(parsed))
            else:
                groups[shard] = [pack(parsed)]
        return [*((self._keys[shard], packed) for shard, packed in groups.items()), *rejects]

    def parse(self, record: Record) -> Observation | Reject:
        """Return the observation or the reject of a record."""
        event = self._decode(record.value)
        if isinstance(event, Interaction):
            return self._interaction(event, record)
        if isinstance(event, Undecodable):
            return self._reject(record, event.reason, event.detail, event.control)
        repaired: tuple[str, ...] = ()
        if isinstance(event, Repaired):
            event, repaired = event
        found = self._control(event, record)
        if repaired and isinstance(found, Observation):
            for member in repaired:
                self._counters.repaired[control_name(event), member] += 1
        return found

    def _interaction(self, event: Interaction, record: Record) -> Observation | Reject:
        if event.region != self._region:
            return self._reject(record, Reason.WRONG_REGION, self._other_region)
        if record.timestamp_ms and event.at > record.timestamp_ms + CLOCK_TOLERANCE_MS:
            ahead_s = (event.at - record.timestamp_ms) / 1000
            return self._reject(record, Reason.FUTURE, f"{ahead_s:.0f} s ahead of the record's own time")
        try:
            return resolve(event, self._pseudonym(event.user_id), record, self._catalogue)
        except NotInCatalogueError as error:
            return self._reject(record, Reason.NOT_IN_CATALOGUE, str(error))
        except TooManyValuesError as error:
            return self._reject(record, Reason.INVALID, f"{error}: takes one value")

    def _control(self, event: ControlEvent, record: Record) -> Observation | Reject:
        """Return a control event; the user's shard decides about a "no" of another region."""
        is_foreign = bool(event.region) and event.region != self._region
        if is_foreign and not _is_no(event):
            return self._reject(record, Reason.WRONG_REGION, self._other_region, control_name(event))
        if not event.event_id:
            event = replace(event, event_id=f"{record.origin}:{record.position}")
        user = self._pseudonym(event.user_id)
        try:
            return resolve_control(event, user, record, self._catalogue, is_foreign=is_foreign)
        except NotInCatalogueError as error:
            return self._reject(record, Reason.NOT_IN_CATALOGUE, str(error), control_name(event))

    def _pseudonym(self, user_id: str) -> bytes:
        return pseudonym(user_id, self._secret, self._catalogue.identity)

    def _reject(self, record: Record, reason: Reason, detail: str, control: str = "") -> Reject:
        hash_ = sha256(record.value).hexdigest()
        return Reject(reason, detail, record.origin, record.position, hash_, self._clock(), control)


def _is_no(event: ControlEvent) -> bool:
    return isinstance(event, Forget) or (isinstance(event, Consent) and not event.granted)


def control_name(event: ControlEvent) -> str:
    """Return the type of a control event, as events have it."""
    return type(event).__name__.lower()
