"""The gate of a user: wipes, consent and pins, which hold in every namespace of a region.

A worker writes the gate, and a reader obeys the gate. As text, a gate is 68 characters and a JSON object:

    characters  meaning (times have 13 digits, epoch ms; 0: never)
        0–12    time of the last wipe: signals from before are void
       13–25    time of the last forget: pins from before are void
       26–39    consent to `learn`: state, and time since when
       40–53    consent to `use`, likewise
       54–67    consent to `explore`, likewise
       68–      JSON: pins and partial wipes by facet; absent without any

A state is `y` (granted), `-` (unasked), `l` (lapsed) or `n` (denied). Of two gates of a user, the newest entry of each
part wins; of two states of the same time, the later one in this list, which is the more restrictive one.
"""

import re
from typing import Literal, NamedTuple

import msgspec

Scope = Literal["learn", "use", "explore"]
"""Scope of a consent: learn from feedback, use signals in answers, explore other values."""

SCOPES: tuple[Scope, ...] = ("learn", "use", "explore")

ConsentState = Literal["unasked", "granted", "lapsed", "denied"]

STATES: dict[str, ConsentState] = {"y": "granted", "-": "unasked", "l": "lapsed", "n": "denied"}
"""Character in a gate → state, the most permissive first."""

_CHARACTERS = {state: character for character, state in STATES.items()}
_CONSENT = r"([y\-ln])(\d{13})"
_GATE = re.compile(rf"(\d{{13}})(\d{{13}}){3 * _CONSENT}(\{{.*\}})?", re.DOTALL)
_FIRST_FORM = re.compile(r"(\d{13})([-x])(\d{13})")
"""Gates up to version 0.12: the last wipe, and one consent for all scopes."""


class ScopeConsent(NamedTuple):
    """Consent of a user in one scope."""

    state: ConsentState = "unasked"
    since_ms: int = 0
    """Time from which the state holds; 0: always."""


class GatePin(NamedTuple):
    """The last pin event of a facet."""

    value: str | None
    """None: the pin was removed."""
    at_ms: int


class _Facets(msgspec.Struct, omit_defaults=True):
    """The JSON part of a gate."""

    pins: dict[str, GatePin] = {}
    wiped: dict[str, str] = {}


class Gate(msgspec.Struct, frozen=True):
    """Wipes, consent and pins of a user."""

    wiped_ms: int = 0
    """Event time of the last wipe; 0: none."""
    forgotten_ms: int = 0
    """Event time of the last forget of everything; 0: none."""
    learn: ScopeConsent = ScopeConsent()
    use: ScopeConsent = ScopeConsent()
    explore: ScopeConsent = ScopeConsent()
    pins: dict[str, GatePin] = {}
    """Facet → last pin event."""
    wiped: dict[str, str] = {}
    """Facet → version of the signals at the last forget of this facet alone."""


def encode_gate(gate: Gate) -> bytes:
    """Return a gate as text.

    >>> encode_gate(Gate(7, learn=ScopeConsent("denied", 7)))[:40]
    b'00000000000070000000000000n0000000000007'
    """
    consents = "".join(
        f"{_CHARACTERS[state]}{since_ms:013d}" for state, since_ms in (gate.learn, gate.use, gate.explore)
    )
    text = f"{gate.wiped_ms:013d}{gate.forgotten_ms:013d}{consents}".encode()
    if not gate.pins and not gate.wiped:
        return text
    return text + msgspec.json.encode(_Facets(gate.pins, gate.wiped))


def decode_gate(data: bytes) -> Gate:
    """Return the gate in a text, in the present or in the first form.

    Raises:
        ValueError: the text is no gate.

    >>> decode_gate(encode_gate(Gate(pins={"tone": GatePin("formal", 7)}))).pins["tone"].value
    'formal'
    >>> decode_gate(b"0000000000000x0000000000007").use
    ScopeConsent(state='denied', since_ms=7)
    """
    text = data.decode("utf-8")
    if found := _GATE.fullmatch(text):
        wiped, forgotten, *consents, facets = found.groups()
        learn, use, explore = (
            ScopeConsent(STATES[state], int(since)) for state, since in zip(consents[::2], consents[1::2], strict=True)
        )
        parts = msgspec.json.decode(facets, type=_Facets) if facets else _Facets()
        return Gate(int(wiped), int(forgotten), learn, use, explore, parts.pins, parts.wiped)
    if found := _FIRST_FORM.fullmatch(text):
        state: ConsentState = "denied" if found[2] == "x" else "granted" if int(found[3]) else "unasked"
        consent = ScopeConsent(state, int(found[3]))
        return Gate(int(found[1]), 0, consent, consent, consent)
    raise ValueError("not a gate")
