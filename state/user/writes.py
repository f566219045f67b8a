"""Writes that a user's state asks for: fields of signals, and gates."""

from typing import NamedTuple

from tacit.contract.gates import Gate


class SignalWrite(NamedTuple):
    """Changed fields of a user, applied in one atomic call: each field, if newer than the stored field."""

    user: bytes
    """The user's 16-byte pseudonym (tacit.contract.pseudonyms)."""
    wiped_ms: int
    """Event time of the last wipe before the write; 0 without a wipe."""
    at_ms: int
    """Event time of the newest field; the time to live counts from here."""
    fields: tuple[tuple[str, bytes], ...]
    """(facet or `_profile`, JSON), each field once; the version is the first member of the JSON."""


class GateWrite(NamedTuple):
    """The whole gate of a user. Merging is idempotent and commutative."""

    user: bytes
    gate: Gate


Write = SignalWrite | GateWrite
