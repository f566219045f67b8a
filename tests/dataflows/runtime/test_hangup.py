"""SIGHUP makes renamed output files again, and ends nothing."""

import os
import signal
from pathlib import Path

from dataflows.runtime.hangup import reopened_by_hangup
from dataflows.settings import Settings
from tests.support.conditions import eventually


def test_renamed_files_are_made_again(tmp_path: Path) -> None:
    """Topics are left out; the handler of before is back afterwards."""
    before = signal.getsignal(signal.SIGHUP)
    rejects = tmp_path / "rejects.jsonl"
    control = "kafka://localhost:9092/control"
    with reopened_by_hangup(Settings(embedded=True, rejects=str(rejects), control_rejects=control)):
        for number in range(2):
            os.kill(os.getpid(), signal.SIGHUP)
            eventually(rejects.exists, within_s=10, what="the file")
            rejects.rename(tmp_path / f"rejects.{number}")
    assert signal.getsignal(signal.SIGHUP) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["rejects.0", "rejects.1"]


def test_file_that_cannot_be_made_ends_nothing(tmp_path: Path) -> None:
    """The next reject fails with the same error."""
    with reopened_by_hangup(Settings(embedded=True, rejects=str(tmp_path / "missing" / "rejects.jsonl"))):
        os.kill(os.getpid(), signal.SIGHUP)
