"""Errors that Tacit raises on purpose.

TacitError
├── ConfigurationError    settings or arguments are wrong; `problems` lists all of them
│   └── CatalogueError    the catalogue file is wrong
├── EventError            an event breaks the contract or the catalogue; `member` is the path of the place
├── QueueFullError        an emitter cannot keep a control event; nothing was sent
├── StateError            a state folder or a checkpoint is unusable                      (state.errors)
│   └── OwnershipError    a namespace belongs to another state folder, run or secret      (state.errors)
├── StorageError          the disk under the state failed; a retry may succeed            (state.errors)
├── HostError             a host of a cluster is missing, or does not fit the others      (state.errors)
├── SourceError           a source is unreadable, or no longer has the needed position    (state.errors)
│   └── UnreachableError  a source does not answer in time                               (state.errors)
├── SinkError             a write was refused, or did not succeed in time                 (state.errors)
├── AccessError           Kafka refuses this client, or is not trusted; no retry helps    (state.errors)
└── ObjectStoreError      object storage failed; a retry may succeed                      (state.errors)
    ├── ObjectRefusedError    object storage refuses the access; only other settings help (state.errors)
    ├── ObjectDamagedError    an object is missing, truncated or changed                  (state.errors)
    └── ObjectStoppedError    a stop request ended the call                               (state.errors)

A bad event raises no error in a worker: it becomes a reject.
"""

from collections.abc import Sequence


class TacitError(Exception):
    """Base of all errors. The text names the failure and the remedy, never a user."""


class ConfigurationError(TacitError):
    """Unusable settings; `problems` has one sentence per problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class CatalogueError(ConfigurationError):
    """A catalogue that breaks the contract; `problems` names each place."""


class EventError(TacitError):
    """An event that breaks the contract or the catalogue; the text repeats no value of the event."""

    def __init__(self, member: str, rule: str) -> None:
        self.member = member
        """Path of the member, as in `served.length`; empty for the whole event."""
        super().__init__(f"{member or 'event'}: {rule}")


class QueueFullError(TacitError):
    """A control event that an emitter cannot keep. Try again later, and let the user know meanwhile."""
