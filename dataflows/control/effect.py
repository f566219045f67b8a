"""Effect of a control event in Redis: the condition, and the wait until it is met."""

import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import cast

import msgspec

from connectors.redis.client import COMMAND_RETRY_FOR_S, RedisClient
from connectors.redis.region_secret import require_secret
from dataflows.control.sending import Sent
from dataflows.settings import Settings
from tacit.contract.events import Consent, Forget, Pin
from tacit.contract.gates import SCOPES, Gate, decode_gate
from tacit.contract.keys import RegionKeys
from tacit.errors import TacitError

WAIT_S = 10.0
"""Default limit of a wait."""

_FIRST_PAUSE_S, _MAX_PAUSE_S = 0.002, 0.05


class NoEffectError(TacitError):
    """The effect of an event is not visible in time; the event is sent."""


@dataclass(frozen=True, slots=True)
class Seen:
    """Keys of a user in Redis."""

    gate: Gate
    signals: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)
    """Namespace → field → JSON."""


class Watcher:
    """View of one user's keys, with one connection.

    Raises:
        SinkError: Redis does not answer, or the gate cannot be read.
    """

    def __init__(self, client: RedisClient, region: str, user: bytes) -> None:
        self._client = client
        self._keys = RegionKeys(region)
        self._user = user

    def look(self) -> Seen:
        """Read the gate, and the signals in every registered namespace."""
        members = cast("list[bytes]", self._client.execute(("SMEMBERS", self._keys.namespaces)))
        names = sorted(name.decode() for name in members)
        # The gate comes last: signals that are read before a newer gate count as present, never the other way round.
        signals = {name: self._fields(self._keys.within(name).signals(self._user)) for name in names}
        return Seen(self._gate(), {name: fields for name, fields in signals.items() if fields})

    def _gate(self) -> Gate:
        data = cast("bytes | None", self._client.execute(("GET", self._keys.gate(self._user))))
        try:
            return Gate() if data is None else decode_gate(data)
        except (ValueError, msgspec.MsgspecError):
            raise TacitError("the gate of the user is unreadable; run tacit rebuild, or delete the key") from None

    def _fields(self, key: str) -> dict[str, bytes]:
        reply = cast("list[bytes]", self._client.execute(("HGETALL", key)))
        return {name.decode("utf-8", "replace"): value for name, value in zip(reply[::2], reply[1::2], strict=True)}


@contextmanager
def watching(settings: Settings, user: bytes) -> Iterator[Watcher]:
    """Yield a view of the user's keys, and close the connection at the end.

    Raises:
        OwnershipError: the region's signals have another secret.
    """
    with closing(RedisClient(settings.redis, retry_for_s=COMMAND_RETRY_FOR_S)) as client:
        require_secret(client, settings.region, settings.secret_bytes)
        yield Watcher(client, settings.region, user)


def wait_for(watcher: Watcher, sent: Sent, *, since_s: float, limit_s: float = WAIT_S) -> float:
    """Wait until the effect of an event is visible, and return the seconds since `since_s`, a time of `monotonic()`.

    Raises:
        NoEffectError: the effect is not visible within `limit_s`; the text has the missing parts and a remedy.
    """
    deadline_s, pause_s = time.monotonic() + limit_s, _FIRST_PAUSE_S
    while missing := missing_effect(sent, watcher.look()):
        if time.monotonic() >= deadline_s:
            raise NoEffectError(
                f"the event is in {sent.source}, and after {limit_s:g} s {missing}; check that a worker of the region "
                "reads this source without a lag (tacit_source_lag_records), that it writes to this Redis, and its "
                "control rejects"
            )
        time.sleep(pause_s)
        pause_s = min(2 * pause_s, _MAX_PAUSE_S)
    return time.monotonic() - since_s


def missing_effect(sent: Sent, seen: Seen) -> str:
    """Return a text for the part of the effect that is not visible; empty if all is.

    >>> event = Pin(schema=1, event_id="e", user_id="ada", at=7, region="eu", facet="tone", value="formal")
    >>> missing_effect(Sent(event, "events.jsonl"), Seen(Gate()))
    'the gate has no pin of tone from this event'
    """
    match sent.event:
        case Consent() as consent:
            return _missing_consent(consent, seen)
        case Pin() as pin:
            return _missing_pin(pin, seen.gate)
        case Forget() as forget:
            return _missing_forget(forget, seen)


def _missing_consent(event: Consent, seen: Seen) -> str:
    wanted = "granted" if event.granted else "denied"
    for scope in event.scope or SCOPES:
        found = getattr(seen.gate, scope)
        if found.state != wanted or found.since_ms < event.at:
            return f"the gate has {scope} as {found.state}"
    if not event.granted and {"learn", "use"} & {*(event.scope or SCOPES)}:
        return _left(seen, newer_than_ms=seen.gate.wiped_ms if seen.gate.use.state != "denied" else None)
    return ""


def _missing_pin(event: Pin, gate: Gate) -> str:
    found = gate.pins.get(event.facet)
    if found is None or found.at_ms < event.at:
        return f"the gate has no pin of {event.facet} from this event"
    return "" if found.value == event.value else f"a newer event has set {event.facet}"


def _missing_forget(event: Forget, seen: Seen) -> str:
    gate = seen.gate
    if event.facets is None:
        return _missing_forget_of_all(event, seen)
    for facet in event.facets:
        wiped = gate.wiped.get(facet, "")
        if _ms(wiped) < event.at and gate.forgotten_ms < event.at:
            return f"the gate has no forget of {facet}"
        for namespace, fields in seen.signals.items():
            if facet in fields and _version(fields[facet]) <= wiped:
                return f"the namespace {namespace} has a signal of {facet} from before the forget"
    return ""


def _missing_forget_of_all(event: Forget, seen: Seen) -> str:
    gate = seen.gate
    if gate.forgotten_ms < event.at:
        return "the gate has no forget"
    if any(pin.value is not None and pin.at_ms <= gate.forgotten_ms for pin in gate.pins.values()):
        return "the gate has pins from before the forget"
    return _left(seen, newer_than_ms=gate.wiped_ms)


def _left(seen: Seen, *, newer_than_ms: int | None) -> str:
    """Return a text for signals that a wipe leaves; a field newer than the wipe is learned again, and may be there."""
    for namespace, fields in seen.signals.items():
        for name, data in fields.items():
            is_new = newer_than_ms is not None and _ms(_version(data)) > newer_than_ms
            if not is_new and (name == "_profile" or not name.startswith("_")):
                return f"the namespace {namespace} has signals"
    return ""


def _version(data: bytes) -> str:
    """Return the version, which is the first member of a field's JSON."""
    return data[6:30].decode("ascii", "replace") if data.startswith(b'{"v":"') else ""


def _ms(version: str) -> int:
    text = version[:13]
    return int(text) if text.isascii() and text.isdigit() else 0
