"""Errors that Tacit raises on purpose.

TacitError
├── ConfigurationError    settings or arguments are wrong; carries every problem found
│   └── CatalogueError    the catalogue file is wrong
├── StateError            a state folder or a checkpoint cannot be used as asked    (state.errors)
├── StorageError          the disk under the state failed, which may pass           (state.errors)
├── SourceError           a source cannot be read, or lost the position we need     (state.errors)
└── SinkError             a write was refused, or did not succeed in time           (state.errors)

A bad *event* is none of these: it is data, and becomes a reject.
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
