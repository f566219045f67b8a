"""Holder of a namespace: what another run can know about its end."""

import os
import subprocess
import sys
from pathlib import Path

from msgspec.structs import replace

from dataflows.holder import Holder, boot_id, lock_identity


def _holder(lock: Path | None = None) -> Holder:
    return Holder.of_this_process("5ec2e7", 2, lock)


def test_holder_is_read_back_from_redis() -> None:
    """Another content is no holder."""
    holder = _holder()
    assert Holder.decode(holder.encode()) == holder
    assert Holder.decode(b"x") is None
    assert Holder.decode(b'{"run":1}') is None


def test_text_names_host_process_and_time() -> None:
    holder = replace(_holder(), host="db-1", pid=7, since_ms=1_795_297_433_438)
    assert str(holder) == "the run 5ec2e7 on host db-1 (pid 7, 2 processes) since 2026-11-21T21:43:53Z"


def test_running_process_has_not_ended() -> None:
    holder = _holder()
    assert holder.runs_here
    assert not holder.has_ended("")


def test_ended_process_has_ended() -> None:
    """So has a process whose id another process has now."""
    child = subprocess.Popen([sys.executable, "-c", ""])
    child.wait()
    assert replace(_holder(), pid=child.pid, started="1").has_ended("")
    assert replace(_holder(), started="1").has_ended("")


def test_holder_of_a_lock_that_this_process_has_taken_has_ended(tmp_path: Path) -> None:
    """The lock of a copied folder is another file, so it shows nothing."""
    lock, copy = tmp_path / "run.lock", tmp_path / "copy.lock"
    lock.touch()
    copy.touch()
    elsewhere = replace(_holder(lock), space="pid:[1]")  # another container of this host
    assert elsewhere.has_ended(lock_identity(lock))
    assert not elsewhere.has_ended(lock_identity(copy))
    assert not elsewhere.has_ended("")
    assert elsewhere.uses(lock_identity(lock))
    assert not elsewhere.uses(lock_identity(copy))


def test_nothing_is_known_of_another_host(tmp_path: Path) -> None:
    """Ids of processes and files compare within one boot only."""
    (tmp_path / "run.lock").touch()
    lock = tmp_path / "run.lock"
    for boot in ("another-boot", ""):
        other = replace(_holder(lock), boot=boot, pid=os.getpid(), started="1")
        assert not other.has_ended(lock_identity(lock))
        assert not other.runs_here
        assert not other.uses(lock_identity(lock))


def test_missing_lock_has_no_identity(tmp_path: Path) -> None:
    assert lock_identity(tmp_path / "none") == ""
    assert boot_id()
