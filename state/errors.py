"""Errors of running: state, storage, sources and sinks."""

from tacit.errors import TacitError


class StateError(TacitError):
    """A state folder or checkpoint that is foreign, damaged, locked or made for other settings."""


class OwnershipError(StateError):
    """A namespace that belongs to another state folder, another live run, or another secret."""


class StorageError(TacitError):
    """A disk that is full or fails. The last checkpoint is safe; a new start resumes from it."""


class HostError(TacitError):
    """A host of a cluster that is missing, or that has other settings or another state than the rest."""


class SourceError(TacitError):
    """A source that is unreadable or no longer has the position to resume from."""


class GapError(SourceError):
    """A source that lost or changed records of a run; a restart does not help, as the operator decides."""


class UnreachableError(SourceError):
    """A source that does not answer in time: a retry may succeed."""


class SinkError(TacitError):
    """A write that was refused, or that did not succeed in time."""


class AccessError(TacitError):
    """A cluster that refuses this client, or that this client does not trust; only other settings help."""


class ObjectStoreError(TacitError):
    """Object storage that failed or did not answer in time; a retry may succeed."""


class ObjectRefusedError(ObjectStoreError):
    """Object storage that refuses the access, or that has no such bucket; only other settings help."""


class ObjectDamagedError(ObjectStoreError):
    """An object that is missing, truncated or changed; a retry does not help."""


class ObjectStoppedError(ObjectStoreError):
    """A call that a stop request ended; the outcome of a write is unknown."""
