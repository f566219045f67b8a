"""Bytes → observations grouped by shard, or rejects."""

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

from pydantic import ValidationError

from operators.clock import wall_clock_ms
from state.catalogue.numbered import NumberedCatalogue
from state.counters import EventCounters
from state.events.observation import NotInCatalogueError, Observation, TooManyValuesError, pack, resolve
from state.events.records import MAX_EVENT_BYTES, Reason, Record, Reject
from state.storage.shards import shard_key, shard_of
from tacit.contract.events import EVENT, Event, Interaction
from tacit.contract.pseudonyms import pseudonym

FUTURE_TOLERANCE_MS = 5 * 60 * 1000
"""An interaction further ahead of the wall clock than this is rejected as `future`."""

Group = tuple[str, list[bytes]]
"""A shard's key and its packed observations, in order."""


class Parser:
    """Parses, validates and groups a batch of records: `flat_map_batch`'s mapper.

    Every record ends in an observation, or in a reject that is counted here.
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
    ) -> None:
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
        """Return the record's observation, or why it has none."""
        value = record.value
        if len(value) > MAX_EVENT_BYTES:
            return _reject(record, Reason.TOO_LARGE, f"over {MAX_EVENT_BYTES} bytes", now_ms)
        try:
            event = EVENT.validate_json(value)
        except ValidationError as error:
            return _reject(record, *explain(error), now_ms)
        if event.region != self._region:
            return _reject(record, Reason.WRONG_REGION, f"this worker's region is {self._region}", now_ms)
        at_ms = event.at
        if at_ms > now_ms:
            if is_control(event):
                at_ms = now_ms
            elif at_ms > now_ms + FUTURE_TOLERANCE_MS:
                return _reject(record, Reason.FUTURE, f"{(at_ms - now_ms) / 1000:.0f} s ahead of the clock", now_ms)
        try:
            return resolve(
                event,
                pseudonym(event.user_id, self._secret),
                at_ms,
                self._catalogue,
                record.origin,
                record.position,
                sha256(value).digest(),
            )
        except NotInCatalogueError as error:
            return _reject(record, Reason.NOT_IN_CATALOGUE, str(error), now_ms)
        except TooManyValuesError as error:
            return _reject(record, Reason.INVALID, f"{error}: takes one value", now_ms)


def is_control(event: Event) -> bool:
    """Say whether the event is the person's own word (consent, pin, forget), which a clock must not lose."""
    return not isinstance(event, Interaction)


def _reject(record: Record, reason: Reason, detail: str, now_ms: int) -> Reject:
    return Reject(reason, detail, record.origin, record.position, sha256(record.value).hexdigest(), now_ms)


_UNKNOWN_SCHEMA = (Reason.UNKNOWN_SCHEMA, "schema: only 1 is known")
_FIELDS = frozenset(
    [
        "schema",
        "event_id",
        "type",
        "user_id",
        "at",
        "region",
        "turn_id",
        "surface",
        "topic",
        "locale",
        "served",
        "item",
        "feedback",
        "acted_on",
        "kind",
        "facets",
        "facet",
        "value",
        "version",
        "propensity",
        "granted",
    ]
)


def explain(error: ValidationError) -> tuple[Reason, str]:
    """Return the reason and the first broken rule as `path: rule`; of what was sent, only known names are repeated."""
    first = error.errors(include_url=False, include_context=False)[0]
    rule = first["type"]
    if rule == "json_invalid":
        return Reason.NOT_JSON, "malformed JSON"
    if rule.startswith("union_tag") and first["input"].get("schema", 1) != 1:
        return _UNKNOWN_SCHEMA  # whose types are not ours to judge
    if rule == "union_tag_not_found":
        return Reason.INVALID, "type: missing"
    if rule == "union_tag_invalid":
        return Reason.INVALID, "type: not interaction, consent, pin or forget"
    path = [str(part) if part in _FIELDS or isinstance(part, int) else "*" for part in first["loc"][1:]]
    if path == ["schema"] and rule == "literal_error":
        return _UNKNOWN_SCHEMA
    return Reason.INVALID, f"{'.'.join(path) or 'event'}: {rule}"
