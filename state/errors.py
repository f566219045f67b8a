"""Errors of running: state, storage, sources and sinks."""

from tacit.errors import TacitError


class StateError(TacitError):
    """A state folder or checkpoint that is foreign, damaged, locked or made for other settings."""


class StorageError(TacitError):
    """A disk that is full or fails: what was committed is safe, and a new start goes on from there."""


class SourceError(TacitError):
    """A source that cannot be read or no longer holds the position to resume from."""


class SinkError(TacitError):
    """A write that was refused, or that did not succeed within its time."""
