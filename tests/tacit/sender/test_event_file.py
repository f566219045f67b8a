"""tacit/sender/event_file: a history that other processes append to, and that survives a kill."""

import signal
import subprocess
import sys
from pathlib import Path

from tacit import ControlEvents, Emitter, EventFile, decode_event
from tests.support.conditions import eventually

WRITE = """
import sys
from tacit import ControlEvents, Emitter, EventFile
emitter, decide = Emitter(EventFile(sys.argv[1])), ControlEvents("eu")
number = 0
while True:
    emitter.send(decide.forget("ada", event_id=f"{sys.argv[2]}-{number}"))
    if emitter.flush(5):
        print(number, flush=True)
    number += 1
"""


def test_flushed_events_survive_a_kill_of_their_writer(tmp_path: Path) -> None:
    """Two writers append to one file; each line is whole but the last one of a killed writer."""
    log = tmp_path / "events.jsonl"
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITE, str(log), name], stdout=subprocess.PIPE, text=True)
        for name in "ab"
    ]
    flushed: list[list[int]] = []
    for writer in writers:
        assert writer.stdout is not None
        for line in writer.stdout:
            if int(line) >= 20:
                break
        writer.send_signal(signal.SIGKILL)
        flushed.append([*range(21), *map(int, writer.stdout.read().split())])
        writer.wait(10)
        writer.stdout.close()
    with Emitter(EventFile(log)) as emitter:  # ends a line that a kill cut off
        emitter.send(ControlEvents("eu").forget("ada", event_id="end"))
        assert emitter.flush(5)
    found = {decode_event(line).event_id for line in log.read_bytes().splitlines() if line.endswith(b"}")}
    assert found >= {f"{name}-{number}" for name, numbers in zip("ab", flushed, strict=True) for number in numbers}
    assert "end" in found


def test_missing_folder_is_an_outage_that_ends(tmp_path: Path) -> None:
    """The events wait for the folder."""
    folder = tmp_path / "later"
    with Emitter(EventFile(folder / "events.jsonl")) as emitter:
        emitter.send(ControlEvents("eu").forget("ada"))
        eventually(lambda: emitter.counts().retried, within_s=5, what="a failed delivery")
        folder.mkdir()
        assert emitter.flush(5)
    assert len((folder / "events.jsonl").read_bytes().splitlines()) == 1
