"""Open round of a bounded run in one process, and its way to the other processes: a file.

A round opens once all processes have worked up the one before. So a single round is open at any time.
"""

import os
from collections.abc import Callable
from pathlib import Path

from state.learning.population_prior import Prior

ROUND_FILE = "round"
"""Number of the open round on the first line, then the population version."""

_READ_BYTES = 1 << 16


class RoundBoard:
    """The open round, as far as this process knows. All workers of a process are one thread."""

    def __init__(self, use: Callable[[bytes, Prior | None], object], folder: Path | None = None) -> None:
        """Begin with round 0.

        Args:
            use: makes a population version, as bytes and as a prior, that of the process; None: it has to be decoded.
            folder: folder of this run that all processes share; None: the run has one process.
        """
        self.opened = 0
        """Number of the open round."""
        self.is_announced = False
        """The training step has opened a round since the start."""
        self._use = use
        self._file = folder / ROUND_FILE if folder else None

    def number(self) -> int:
        """Return the number of the open round."""
        return self.opened

    def open(self, number: int, version: bytes, prior: Prior | None) -> None:
        """Open a round in all processes; called by the training step."""
        if self._file is not None:
            written = self._file.with_suffix(".new")
            written.write_bytes(b"%d\n%s" % (number, version))
            written.replace(self._file)
        self._take(number, version, prior)

    def look(self) -> None:
        """Take over the round that another process opened."""
        if self._file is None:
            return
        try:
            descriptor = os.open(self._file, os.O_RDONLY)
        except FileNotFoundError:
            return
        try:
            begin = os.read(descriptor, _READ_BYTES)
            number, _, version = begin.partition(b"\n")
            if self.is_announced and int(number) <= self.opened:
                return
            while part := os.read(descriptor, _READ_BYTES):
                version += part
        finally:
            os.close(descriptor)
        self._take(int(number), version, None)

    def enter(self, number: int) -> None:
        """Take over the round of records that came from another process, before they are used."""
        if number > self.opened:
            self.look()

    def _take(self, number: int, version: bytes, prior: Prior | None) -> None:
        self.opened, self.is_announced = number, True
        if version:
            self._use(version, prior)
