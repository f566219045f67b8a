"""dataflows/runtime/pace: a limit of records per second that loses and repeats nothing."""

import json
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from threading import Event
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.files.source import FileSource
from dataflows.runtime.pace import BURST_S, Pace, PacedSource
from state.counters import SourceCounters
from state.events.records import Record
from tests.support.conditions import eventually


class Read:
    """Source of files under a limit, with the records that it released."""

    def __init__(self, paths: list[Path], pace: Any, resume: Any = None) -> None:
        self.counters, self.stop = SourceCounters(), Event()
        inner = FileSource(paths, stop=self.stop, counters=self.counters)
        self.part = PacedSource(inner, pace).build_part("", "files", resume)
        self.records: list[Record] = []

    def some(self, calls: int, most: int) -> Any:
        """Read some batches or to the end, and return the snapshot."""
        with suppress(StopIteration):
            for _ in range(calls):
                self.records += self.part.take(most)
        return self.part.snapshot()

    def close(self) -> None:
        """Close the open file."""
        self.part.close()


@pytest.fixture(scope="module")
def paths(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("files")
    found = [folder / f"{name}.jsonl" for name in "abc"]
    for path, lines in zip(found, (11, 0, 30), strict=True):
        path.write_text("".join(f"{path.stem}{n}\n" for n in range(lines)))
    return found


class Some:
    """Limit that allows chosen numbers of records, then all."""

    def __init__(self, allowed: list[int]) -> None:
        self._allowed = allowed
        self.used = 0

    def take(self, most: int) -> int:
        count = min(most, self._allowed.pop(0)) if self._allowed else most
        self.used += count
        return count

    def give_back(self, count: int) -> None:
        self.used -= count


@given(st.lists(st.tuples(st.integers(1, 12), st.lists(st.integers(0, 9), max_size=12)), max_size=6))
def test_resumed_reads_release_each_record_once(paths: list[Path], parts: list[tuple[int, list[int]]]) -> None:
    """A snapshot at any moment resumes behind the last record, and unused parts of the limit are given back."""
    values: list[bytes] = []
    counted, snapshot = 0, None
    for calls, allowed in [*parts, (200, [])]:
        pace = Some(list(allowed))
        with closing(Read(paths, pace, snapshot)) as read:
            snapshot = read.some(calls, 7)
        values += [record.value for record in read.records]
        counted += read.counters.records
        assert pace.used == len(read.records)
    expected = [f"a{n}".encode() for n in range(11)] + [f"c{n}".encode() for n in range(30)]
    assert values == expected
    assert counted == len(expected)


def test_limit_is_looked_at_often(paths: list[Path]) -> None:
    """A stop request waits for 50 ms at most, and not for the limit."""
    with closing(Read(paths, Pace(0.01))) as read:
        read.some(3, 7)
        awake = read.part.next_awake()
        assert awake is not None
        assert awake.timestamp() - time.time() < 0.06
        assert read.counters.records == len(read.records) <= 1


def test_rate_holds_over_seconds() -> None:
    """Two takers of one limit get no more than one taker."""
    pace, began_s, taken = Pace(5_000), time.monotonic(), [0, 0]

    def is_over() -> bool:
        for taker in range(2):
            taken[taker] += pace.take(50)
        return time.monotonic() - began_s > 1.0

    eventually(is_over, within_s=30, what="a second")
    took_s = time.monotonic() - began_s
    assert sum(taken) <= 5_000 * (took_s + BURST_S) + 1


CHILD = """
import multiprocessing as m, time
from dataflows.runtime.pace import Pace

def take(pace, pipe):
    end, n = time.monotonic() + 1, 0
    while time.monotonic() < end:
        n += pace.take(20)
    pipe.send(n)

if __name__ == "__main__":
    context, pace, began = m.get_context("spawn"), Pace(2000), time.monotonic()
    pipes, processes = [], []
    for _ in range(2):
        receiver, sender = context.Pipe(duplex=False)
        processes.append(context.Process(target=take, args=(pace, sender)))
        processes[-1].start()
        pipes.append(receiver)
    counts = [pipe.recv() for pipe in pipes]
    print(sum(counts), time.monotonic() - began)
"""


def test_processes_share_the_limit(tmp_path: Path) -> None:
    """Two processes together take no more than the rate."""
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    done = subprocess.run(
        [sys.executable, str(script)],
        capture_output=True, text=True, check=True, timeout=120, env={"PYTHONPATH": str(Path(__file__).parents[3])},
    )  # fmt: skip
    count, took_s = map(json.loads, done.stdout.split())
    assert 0 < count <= 2000 * (took_s + BURST_S) + 1
