"""Parts of a replay in its state folder, so that a report covers the runs before an interruption, too."""

import os
import platform
import secrets
from collections.abc import Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from time import monotonic, time_ns

import msgspec

from dataflows.report.document import Machine, Part, Result, Tiers
from dataflows.settings import Settings
from state.counters import Counters
from state.durable import read_document, write_document, write_file
from state.errors import StateError
from state.row.form import COMPILED

FOLDER = "replay"
BEFORE = "before.json"
WRITE_EVERY_S = 10.0


class Parts:
    """Parts of a replay; the last one runs now. Without a state folder, it is the only one."""

    def __init__(self, settings: Settings, before: Tiers | None = None) -> None:
        """Read the earlier parts; a part that did not write its end was killed.

        Args:
            settings: the state folder and the number of processes.
            before: signals in the target before this part; the folder keeps those before the first part.

        Raises:
            StateError: a part cannot be read.
        """
        self._folder = settings.state / FOLDER if settings.state else None
        self.earlier = _read(self._folder) if self._folder else []
        self._processes = settings.processes
        self._before = before
        self._begin()

    def _begin(self) -> None:
        self._began_s, self._written_s = monotonic(), 0.0
        now_ms = time_ns() // 1_000_000
        self.current = Part(now_ms, now_ms, "running", self._processes, _machine())
        self._name = f"{now_ms:013d}-{secrets.token_hex(4)}.json"
        self.counters = Counters()
        """Newest counters of this part."""

    @property
    def all(self) -> Sequence[Part]:
        """All parts, the oldest first."""
        return (*self.earlier, self.current)

    @property
    def before(self) -> Tiers | None:
        """Signals in the target before the first part; None: not known."""
        path = self._folder / BEFORE if self._folder else None
        if path is not None and path.exists():
            return msgspec.json.decode(path.read_bytes(), type=Tiers)
        return None if self.earlier else self._before

    def update(self, counters: Counters) -> None:
        """Take in counters of the running part, and write it from time to time; a full disk ends no replay here."""
        self._take(counters)
        if monotonic() - self._written_s >= WRITE_EVERY_S:
            self._written_s = monotonic()
            with suppress(OSError):
                self._write()

    def restart(self, error: str) -> None:
        """End this part with an error, and begin the next one: the run resumes by itself."""
        self.end("failed", error)
        self.earlier.append(self.current)
        self._begin()

    def end(self, result: Result, error: str = "") -> None:
        """Write the end of the part.

        Raises:
            StateError: the folder cannot be written.
        """
        self.current.result, self.current.error = result, error
        self._take(self.counters)
        try:
            self._write()
        except OSError as failure:
            if result != "failed":  # the first error is the cause
                raise StateError(
                    f"{self._folder}: cannot be written: {failure.strerror}; make room, and run the same command again"
                ) from failure

    def _take(self, counters: Counters) -> None:
        part, sink = self.current, counters.sink
        self.counters = counters
        part.seen_ms, part.wall_s = time_ns() // 1_000_000, round(monotonic() - self._began_s, 3)
        part.cpu_s, part.records = round(counters.cpu_s, 3), counters.source.records
        part.signals_applied, part.signals_stale, part.signals_gated = sink.applied, sink.stale, sink.gated
        part.gates, part.unwritable = sink.gates, sink.unwritable

    def _write(self) -> None:
        if self._folder is None or not self._folder.parent.is_dir():
            return
        self._folder.mkdir(exist_ok=True)
        if self._before is not None and not self.earlier and not (self._folder / BEFORE).exists():
            write_file(self._folder / BEFORE, msgspec.json.encode(self._before))
        write_document(self._folder / self._name, self.current)


def _read(folder: Path) -> list[Part]:
    found = []
    for path in sorted(folder.glob("[0-9]*.json")):
        if part := read_document(path, Part, "restore it, or delete it"):
            part.result = "killed" if part.result == "running" else part.result
            found.append(part)
    return found


def _machine() -> Machine:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") if hasattr(os, "sysconf") else None
    return Machine(
        f"{platform.system()} {platform.release()} {platform.machine()}",
        os.cpu_count() or 1,
        memory,
        platform.python_version(),
        version("tacit-worker"),
        bool(COMPILED),
    )
