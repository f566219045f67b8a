"""Holder of a namespace: a live run, in its form in Redis.

The host's name is plain text: an operator looks for the other run there, and it is no data about users.
"""

import os
import socket
from datetime import UTC, datetime
from pathlib import Path
from time import time_ns
from typing import Self

import msgspec

_PROC = Path("/proc")


class Holder(msgspec.Struct, frozen=True):
    """Live run, with the marks by which another run on its host sees its end."""

    run: str
    """Name of the run, made at its start."""
    host: str
    pid: int
    processes: int
    since_ms: int
    boot: str = ""
    """Id of the host's boot: ids of processes and files compare within one boot only; empty where unknown."""
    space: str = ""
    """Namespace of process ids, as containers have their own."""
    started: str = ""
    """Start of the process, as a process id is used again."""
    lock: str = ""
    """Device and inode of the lock of the run's state folder; empty without a folder."""
    fence: int = 0
    """Fencing number of the run in object storage; 0 without one."""

    @classmethod
    def of_this_process(cls, run: str, processes: int, lock: Path | None, fence: int = 0) -> Self:
        """Return the holder that this process is."""
        return cls(
            run,
            socket.gethostname(),
            os.getpid(),
            processes,
            time_ns() // 1_000_000,
            boot_id(),
            _process_space(),
            _start_of(os.getpid()),
            lock_identity(lock) if lock else "",
            fence,
        )

    @classmethod
    def decode(cls, data: bytes) -> Self | None:
        """Return the holder in a value of Redis; None for another content."""
        try:
            return msgspec.json.decode(data, type=cls)
        except msgspec.MsgspecError:
            return None

    def encode(self) -> bytes:
        """Return the holder as JSON."""
        return msgspec.json.encode(self)

    def __str__(self) -> str:
        since = datetime.fromtimestamp(self.since_ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        processes = f"{self.processes} processes" if self.processes > 1 else "1 process"
        return f"the run {self.run} on host {self.host} (pid {self.pid}, {processes}) since {since}"

    def has_ended(self, lock: str) -> bool:
        """Return True if the run has surely ended.

        Args:
            lock: identity of a lock that the calling process holds; empty for none. A run with this lock has ended.
        """
        if not self._is_of_this_boot:
            return False
        return bool(lock and self.lock == lock) or (self._is_visible and not self._is_running)

    def uses(self, lock: str) -> bool:
        """Return True if the run uses the state folder with this lock."""
        return self._is_of_this_boot and bool(lock) and self.lock == lock

    @property
    def runs_here(self) -> bool:
        """True if the run is a process of this host that surely runs."""
        return self._is_of_this_boot and self._is_visible and self._is_running

    @property
    def _is_of_this_boot(self) -> bool:
        return bool(self.boot) and self.boot == boot_id()

    @property
    def _is_visible(self) -> bool:
        return bool(self.space) and self.space == _process_space()

    @property
    def _is_running(self) -> bool:
        return bool(self.started) and _start_of(self.pid) == self.started


def boot_id() -> str:
    """Return the id of the boot of this host (random(4)); empty where the kernel has none."""
    try:
        return (_PROC / "sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return ""


def lock_identity(lock: Path) -> str:
    """Return device and inode of a lock file: a copy of its folder has another inode; empty without the file."""
    try:
        found = lock.stat()
    except OSError:
        return ""
    return f"{found.st_dev}:{found.st_ino}"


def _process_space() -> str:
    try:
        return str((_PROC / "self/ns/pid").readlink())
    except OSError:
        return ""


def _start_of(pid: int) -> str:
    """Return the start time of a process in clock ticks since the boot (proc(5), field 22); empty for none."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] == "Z" else fields[19]
