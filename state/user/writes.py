"""Writes that a user's state asks for: fields of signals, and gates."""

from typing import NamedTuple

from tacit.contract.gates import Gate


class StoredHistory(NamedTuple):
    """The history of a user, to be written with another write of the user."""

    at_ms: int
    """Event time of its last entry or renewal; the time to live counts from here."""
    content: bytes
    """JSON (tacit.contract.history); its version is the first member."""


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
    history: StoredHistory | None = None
    """The user's history, if it is to be written."""


class GateWrite(NamedTuple):
    """The whole gate of a user. Merging is idempotent and commutative."""

    user: bytes
    gate: Gate
    asked_ms: int = 0
    """Time of the control event behind the gate; 0: an absence or a restoration, or the time is not known."""
    history: StoredHistory | None = None
    """The user's history, if it is to be written."""


Write = SignalWrite | GateWrite


class Restored(NamedTuple):
    """Some writes of a shard after Redis lost data: the present gates or signals of some of its users."""

    number: int
    """Number of the loss (state.events.records.Restore)."""
    shard: int
    writes: tuple[Write, ...]
    is_last: bool
    """The shard has no further write."""


AnyWrite = Write | Restored
