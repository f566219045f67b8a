"""Writes that a user's state asks for: fields of signals, and gates."""

from typing import NamedTuple


class SignalWrite(NamedTuple):
    """Changed fields of one user, applied in one atomic call: each field, if it is newer than the stored one."""

    user: bytes
    """The user's 16-byte pseudonym (tacit.contract.pseudonyms)."""
    wiped_ms: int
    """Event time of the last wipe before this write; 0: none."""
    at_ms: int
    """Event time of the newest field; the time to live counts from here."""
    fields: tuple[tuple[str, bytes], ...]
    """(facet or `_profile`, JSON), each field once; the version is the first member of the JSON."""


class GateWrite(NamedTuple):
    """The whole gate of one user. Merging is idempotent and commutative."""

    user: bytes
    wiped_ms: int
    """Event time of the last wipe; 0: none."""
    consent_at_ms: int
    """Event time of the last choice on consent; 0: none."""
    opted_out: bool
    """The last choice was "no"."""


Write = SignalWrite | GateWrite
