"""Redis in memory for fake readers: users' keys in the form of the contract, so the real decoder reads them."""

from collections.abc import Mapping, Sequence

import msgspec

from tacit.contract.catalogue import Catalogue
from tacit.contract.gates import ConsentState, Gate, GatePin, ScopeConsent, decode_gate, encode_gate
from tacit.contract.keys import LIVE, RegionKeys
from tacit.contract.lifetimes import AGED_AFTER_MS, DAY_MS
from tacit.contract.pseudonyms import pseudonym
from tacit.contract.signals import PROFILE, Profile, Signal, decode_profile, decode_signal, encode
from tacit.contract.versions import version
from tacit.errors import ConfigurationError
from tacit.reader.adaptation import Status
from tacit.reader.round_trips import Command, Reply
from tacit.sender.identity import now_ms

REGION, SECRET = "eu", b"secret of fake readers"


class Memory:
    """Keys of a region in memory, and the replies to a reader's commands.

    Args:
        catalogue: the names that signals may have.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self.catalogue = catalogue
        self.is_down = False
        """True: no command gets a reply."""
        self._keys = RegionKeys(REGION)
        self._hashes: dict[str, dict[str, bytes]] = {}
        self._strings: dict[str, bytes] = {}
        self._unanswered: set[str] = set()

    def execute(self, commands: Sequence[Command]) -> list[Reply]:
        """Return a reply per command, as a transport does."""
        return [self._reply(str(name), str(key)) for name, key in commands]

    def _reply(self, command: str, key: str) -> Reply:
        if self.is_down or key in self._unanswered:
            return ConnectionError()
        if command == "GET":
            return self._strings.get(key)
        return [part for name, value in self._hashes.get(key, {}).items() for part in (name.encode(), value)]

    def put_signal(self, user_id: str, facet: str, signal: Signal) -> None:
        """Write a signal of a user; ConfigurationError for a facet or value outside the catalogue."""
        self._check(facet, signal.value)
        self._signals(user_id)[facet] = encode(signal)

    def put_default(self, facet: str, signal: Signal) -> None:
        """Write a signal of the population; errors as `put_signal`."""
        self._check(facet, signal.value)
        self._hashes.setdefault(self._keys.within(LIVE).defaults, {})[facet] = encode(signal)

    def put_profile(self, user_id: str, profile: Profile) -> None:
        """Write the profile of a user."""
        self._signals(user_id)[PROFILE] = encode(profile)

    def pin(self, user_id: str, facet: str, value: str | None) -> None:
        """Write a pin event into the gate of a user; errors as `put_signal`."""
        self._check(facet, value)
        gate = self._gate(user_id)
        self._put_gate(user_id, msgspec.structs.replace(gate, pins={**gate.pins, facet: GatePin(value, now_ms())}))

    def consent(self, user_id: str, states: Mapping[str, ConsentState]) -> None:
        """Write consents by scope into the gate of a user."""
        found = {scope: ScopeConsent(state, now_ms()) for scope, state in states.items()}
        self._put_gate(user_id, msgspec.structs.replace(self._gate(user_id), **found))

    def set_status(self, user_id: str, status: Status) -> None:
        """Change the keys of a user so that reads have this status."""
        key = self._signals_key(user_id)
        self._unanswered.discard(key)
        if status == "unavailable":
            self._unanswered.add(key)
        elif status == "opted_out":
            self.consent(user_id, {"use": "denied"})
        elif status == "absent":
            self._hashes.pop(key, None)
            self._strings.pop(self._gate_key(user_id), None)
        elif status == "unknown_schema":
            self._hashes[key] = dict.fromkeys(self.catalogue.facets, b'{"v":0}')
        else:
            self._date(key, now_ms() - (AGED_AFTER_MS + DAY_MS if status == "aged" else 0))

    def _date(self, key: str, at_ms: int) -> None:
        """Change the times of the signals and the profile of a user."""
        fields = self._hashes.get(key)
        if not fields:
            raise ConfigurationError(["status: the user has no signal yet; set one first"])
        for name, value in fields.items():
            held: Signal | Profile = (decode_profile if name == PROFILE else decode_signal)(value)
            fields[name] = encode(msgspec.structs.replace(held, at=at_ms, v=version(at_ms, 1)))

    def _signals(self, user_id: str) -> dict[str, bytes]:
        return self._hashes.setdefault(self._signals_key(user_id), {})

    def _signals_key(self, user_id: str) -> str:
        return self._keys.within(LIVE).signals(self._pseudonym(user_id))

    def _gate_key(self, user_id: str) -> str:
        return self._keys.gate(self._pseudonym(user_id))

    def _pseudonym(self, user_id: str) -> bytes:
        return pseudonym(user_id, SECRET, self.catalogue.identity)

    def _gate(self, user_id: str) -> Gate:
        text = self._strings.get(self._gate_key(user_id))
        return Gate() if text is None else decode_gate(text)

    def _put_gate(self, user_id: str, gate: Gate) -> None:
        self._strings[self._gate_key(user_id)] = encode_gate(gate)

    def _check(self, facet: str, value: str | None) -> None:
        found = self.catalogue.facets.get(facet)
        if found is None:
            raise ConfigurationError([f"facet {facet!r}: allowed are {', '.join(self.catalogue.facets)}"])
        if value is not None and value not in found.values:
            raise ConfigurationError([f"{facet} {value!r}: allowed are {', '.join(found.values)}"])
