"""Every error Tacit raises on purpose.

TacitError
├── ConfigurationError    settings or flags are wrong; carries every problem found
│   └── CatalogueError    the catalogue file is wrong
├── StateError            a state folder or a checkpoint cannot be used as asked
├── StorageError          the disk under the state failed, which may pass
├── SourceError           a source cannot be read, or no longer holds the position we need
└── SinkError             a write was refused, or did not succeed in the time given

A bad *event* is none of these: it is data, and becomes a `state.events.records.Reject`.
"""

from collections.abc import Sequence


class TacitError(Exception):
    """The base of all errors below: its text says what is wrong and what to do, and never names a person."""


class ConfigurationError(TacitError):
    """Settings that cannot work; `problems` lists all of them, a sentence each."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(self.problems))


class CatalogueError(ConfigurationError):
    """A catalogue that breaks the contract; `problems` lists every place."""


class StateError(TacitError):
    """A state folder or checkpoint that is foreign, damaged, locked or made for other settings."""


class StorageError(TacitError):
    """A disk that is full or fails: what was committed is safe, and a new start goes on from there."""


class SourceError(TacitError):
    """A source that cannot be read or no longer holds the position to resume from."""


class SinkError(TacitError):
    """A write that was refused, or that did not succeed within its time."""
