"""Records → observations or rejects. Plain interactions take the fast path, all other records the slow path."""

from collections.abc import Callable, Iterable
from hashlib import sha256
from typing import NamedTuple

from msgspec.structs import replace

from operators.clock import wall_clock_ms
from operators.decoders import Format, Repaired, Undecodable, json
from operators.plain_interactions import PlainInteractions
from operators.users import Users
from state.catalogue.numbered import NumberedCatalogue
from state.counters import EventCounters
from state.events.observation import NotInCatalogueError, Observation, TooManyValuesError
from state.events.records import CLOCK_TOLERANCE_MS, Reason, Record, Reject
from state.events.resolve import resolve, resolve_control
from tacit.contract.events import Consent, ControlEvent, Forget, Interaction


class Parsed(NamedTuple):
    """Result of a batch."""

    observations: list[Observation]
    records: list[Record]
    """Record of each observation: the state can still reject it."""
    rejects: list[Reject]


class Parser:
    """Decodes and checks records. Every record becomes an observation, or a reject that is counted here."""

    def __init__(
        self,
        *,
        catalogue: NumberedCatalogue,
        region: str,
        secret: bytes,
        shards: int,
        counters: EventCounters,
        clock: Callable[[], int] = wall_clock_ms,
        input_format: Format = json.FORMAT,
    ) -> None:
        self.format = input_format
        self.users = Users(secret, shards, catalogue.identity)
        self._catalogue = catalogue
        self._region = region
        self._other_region = f"this worker's region is {region}"
        self._counters = counters
        self._clock = clock
        read_line = input_format.read_line
        self._plain = PlainInteractions(read_line, catalogue, region, self.users) if read_line else _nothing

    def __call__(self, records: Iterable[Record]) -> Parsed:
        """Return the observations and the rejects of a batch, each in order."""
        parsed = Parsed([], [], [])
        observations, kept, rejects = parsed
        plain, parse_slowly = self._plain, self.parse_slowly
        for record in records:
            found = plain(record) or parse_slowly(record)
            if isinstance(found, Reject):
                self._counters.count_reject(found)
                rejects.append(found)
            else:
                observations.append(found)
                kept.append(record)
        return parsed

    def parse(self, record: Record) -> Observation | Reject:
        """Return the observation or the reject of a record."""
        return self._plain(record) or self.parse_slowly(record)

    def parse_slowly(self, record: Record) -> Observation | Reject:
        """Return the same by the slow path, which decides about every record."""
        event = self.format.decode(record.value)
        if isinstance(event, Interaction):
            return self._interaction(event, record)
        if isinstance(event, Undecodable):
            return self.reject(record, event.reason, event.detail, event.control)
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
            return self.reject(record, Reason.WRONG_REGION, self._other_region)
        if record.timestamp_ms and event.at > record.timestamp_ms + CLOCK_TOLERANCE_MS:
            ahead_s = (event.at - record.timestamp_ms) / 1000
            return self.reject(record, Reason.FUTURE, f"{ahead_s:.0f} s ahead of the record's own time")
        try:
            return resolve(event, self.users.find(event.user_id).pseudonym, self._catalogue)
        except NotInCatalogueError as error:
            return self.reject(record, Reason.NOT_IN_CATALOGUE, str(error))
        except TooManyValuesError as error:
            return self.reject(record, Reason.INVALID, f"{error}: takes one value")

    def _control(self, event: ControlEvent, record: Record) -> Observation | Reject:
        """Return a control event; the user's shard decides about a "no" of another region."""
        is_foreign = bool(event.region) and event.region != self._region
        if is_foreign and not _is_no(event):
            return self.reject(record, Reason.WRONG_REGION, self._other_region, control_name(event))
        if not event.event_id:
            event = replace(event, event_id=f"{record.origin}:{record.position}")
        user = self.users.find(event.user_id).pseudonym
        try:
            return resolve_control(event, user, record.timestamp_ms, self._catalogue, is_foreign=is_foreign)
        except NotInCatalogueError as error:
            return self.reject(record, Reason.NOT_IN_CATALOGUE, str(error), control_name(event))

    def reject(self, record: Record, reason: Reason, detail: str, control: str = "") -> Reject:
        """Return the reject of a record."""
        hash_ = sha256(record.value).hexdigest()
        return Reject(reason, detail, record.origin, record.position, hash_, self._clock(), control)


def _nothing(_: Record) -> None:
    """Return no observation: the format has no fast path."""


def _is_no(event: ControlEvent) -> bool:
    return isinstance(event, Forget) or (isinstance(event, Consent) and not event.granted)


def control_name(event: ControlEvent) -> str:
    """Return the type of a control event, as events have it."""
    return type(event).__name__.lower()
