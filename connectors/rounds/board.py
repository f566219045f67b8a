"""Open round of a bounded run in one process, and its way to the other processes: a file, or Redis.

A round opens once all processes have worked up the one before. So a single round is open at any time.
"""

import os
from collections.abc import Callable
from pathlib import Path
from time import monotonic
from typing import Protocol

from state.errors import SinkError
from state.learning.population_prior import Prior

ROUND_FILE = "round"
"""Number of the open round on the first line, then the population version."""

_READ_BYTES = 1 << 16


class RoundStore(Protocol):
    """Store of the open round, which all processes of a run share."""

    @property
    def pause_s(self) -> float:
        """Time between two looks of a process that waits for a round."""

    def write(self, number: int, version: bytes) -> None:
        """Write the open round; other processes then read it."""

    def read(self, above: int) -> tuple[int, bytes] | None:
        """Return the open round and its version; None if the number is not above `above`, or there is no round."""


class FileRoundStore:
    """Store for the processes of one machine: a file in the folder of the run, which begins empty."""

    pause_s = 0.0

    def __init__(self, folder: Path) -> None:
        self._file = folder / ROUND_FILE

    def write(self, number: int, version: bytes) -> None:
        """Replace the file."""
        written = self._file.with_suffix(".new")
        written.write_bytes(b"%d\n%s" % (number, version))
        written.replace(self._file)

    def read(self, above: int) -> tuple[int, bytes] | None:
        """Return the round in the file; the version is read only where the number is above `above`."""
        try:
            descriptor = os.open(self._file, os.O_RDONLY)
        except FileNotFoundError:
            return None
        try:
            begin = os.read(descriptor, _READ_BYTES)
            number, _, version = begin.partition(b"\n")
            if int(number) <= above:
                return None
            while part := os.read(descriptor, _READ_BYTES):
                version += part
        finally:
            os.close(descriptor)
        return int(number), version


class RoundBoard:
    """The open round, as far as this process knows. All workers of a process are one thread."""

    def __init__(self, use: Callable[[bytes, Prior | None], object], store: RoundStore | None = None) -> None:
        """Begin with round 0.

        Args:
            use: makes a population version, as bytes and as a prior, that of the process; None: it has to be decoded.
            store: store that all processes share; None: the run has one process.
        """
        self.opened = 0
        """Number of the open round."""
        self.is_announced = False
        """The training step has opened a round since the start."""
        self._use = use
        self._store = store
        self._looks_again_s = 0.0

    @property
    def pause_s(self) -> float:
        """Time between two looks."""
        return self._store.pause_s if self._store else 0.0

    def number(self) -> int:
        """Return the number of the open round."""
        return self.opened

    def open(self, number: int, version: bytes, prior: Prior | None) -> None:
        """Open a round in all processes; called by the training step, which may repeat a call."""
        if self._store is not None:
            self._store.write(number, version)
        self._take(number, version, prior)

    def look(self) -> None:
        """Take over the round that another process opened; the partitions of a process share a look."""
        if self._store is not None and monotonic() >= self._looks_again_s:
            self._read(self._store)
            self._looks_again_s = monotonic() + self._store.pause_s

    def enter(self, number: int) -> None:
        """Take over the round of records that came from another process, before they are used.

        Raises:
            SinkError: the store does not have the round.
        """
        if number > self.opened and self._store is not None:
            self._read(self._store)
            if number > self.opened:
                raise SinkError(
                    f"Redis has lost round {number} of the replay: run the same command again on this host, and all "
                    "hosts resume at the last checkpoint"
                )

    def _read(self, store: RoundStore) -> None:
        if found := store.read(self.opened if self.is_announced else -1):
            self._take(*found, None)

    def _take(self, number: int, version: bytes, prior: Prior | None) -> None:
        self.opened, self.is_announced = number, True
        if version:
            self._use(version, prior)
