"""Errors of running: state, storage, sources and sinks."""

from tacit.errors import TacitError


class StateError(TacitError):
    """A state folder or checkpoint that is foreign, damaged, locked or made for other settings."""


class StorageError(TacitError):
    """A disk that is full or fails. The last checkpoint is safe; a new start resumes from it."""


class SourceError(TacitError):
    """A source that is unreadable or no longer has the position to resume from."""


class SinkError(TacitError):
    """A write that was refused, or that did not succeed in time."""
