"""Writes that a user's state asks for: fields of signals, and gates."""

from typing import NamedTuple


class SignalWrite(NamedTuple):
    """Fields of one person that changed: applied in one atomic call, each if it is newer than what is there."""

    user: bytes
    """The person's 16-byte digest (tacit.contract.pseudonyms)."""
    wiped_ms: int
    """Time of the wipe that the writing state was born under; 0: none."""
    at_ms: int
    """Event time that caused the write; the time to live counts from here."""
    fields: tuple[tuple[str, bytes], ...]
    """(facet or `_profile`, JSON), the version being the JSON's first member; no field twice."""


class GateWrite(NamedTuple):
    """A person's wipes and consent, whole: merging it is idempotent, and any order gives one outcome."""

    user: bytes
    wiped_ms: int
    """Time of the last wipe; 0: none."""
    consent_at_ms: int
    """Time of the last word on consent; 0: none."""
    opted_out: bool
    """That word was no."""


Write = SignalWrite | GateWrite
