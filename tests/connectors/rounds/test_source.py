"""Source in rounds: partitions release a fixed number of records, and wait for each other."""

from pathlib import Path
from threading import Event
from typing import Any, Self

import pytest

from connectors.files.source import FileSource
from connectors.rounds.board import RoundBoard
from connectors.rounds.source import (
    EARLY_ROUND_RECORDS,
    EARLY_ROUNDS,
    ROUND_RECORDS,
    Item,
    PartitionInRounds,
    Snapshot,
    SourceInRounds,
)
from state.counters import SourceCounters
from state.events.records import Record, RoundEnd

NAME = "files"
RECORDS = EARLY_ROUND_RECORDS


class Run:
    """A source of one file in rounds, and its board; a context that closes the file."""

    def __init__(self, path: Path, resume_at: Snapshot | None = None) -> None:
        self.stop = Event()
        self.board = RoundBoard(lambda *_: None)
        counters = SourceCounters()
        source = SourceInRounds(FileSource([path], stop=self.stop, counters=counters), self.board, self.stop, counters)
        assert source.list_parts() == [NAME]
        self.part: PartitionInRounds = source.build_part("source", NAME, resume_at)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.part.close()

    def read(self) -> list[Item]:
        """Return all items up to the next wait, or up to the end."""
        found: list[Item] = []
        try:
            while items := self.part.next_batch():
                found += items
        except StopIteration:
            pass
        return found


def write(path: Path, lines: int, first: int = 0) -> Path:
    with path.open("a") as file:
        file.writelines(f"{number}\n" for number in range(first, first + lines))
    return path


def shown(items: list[Item]) -> tuple[list[int], list[RoundEnd]]:
    """Return the numbers of the records, and the ends; an end is behind all records."""
    ends = [item for item in items if isinstance(item, RoundEnd)]
    assert items[len(items) - len(ends) :] == ends
    return [int(item.value) for item in items if isinstance(item, Record)], ends


def end(number: int, *, is_last: bool = False) -> RoundEnd:
    return RoundEnd(NAME, 1, number, is_last)


def test_partition_waits_behind_the_records_of_a_round(tmp_path: Path) -> None:
    """Each round has as many records; the last one has the rest."""
    with Run(write(tmp_path / "e.jsonl", 2 * RECORDS + 7)) as run:
        for number in range(2):
            expected = list(range(number * RECORDS, (number + 1) * RECORDS))
            assert shown(run.read()) == (expected, [end(number)])
            assert run.part.next_batch() == []
            assert run.part.next_awake() is not None
            run.board.open(number + 1, b"", None)
        assert shown(run.read()) == (list(range(2 * RECORDS, 2 * RECORDS + 7)), [end(2, is_last=True)])
        with pytest.raises(StopIteration):
            run.part.next_batch()


def test_later_rounds_have_more_records(tmp_path: Path) -> None:
    """Early versions come often."""
    with Run(write(tmp_path / "e.jsonl", EARLY_ROUNDS * RECORDS + 2 * ROUND_RECORDS)) as run:
        sizes = []
        for number in range(EARLY_ROUNDS + 2):
            run.board.open(number, b"", None)
            sizes.append(len(shown(run.read())[0]))
    assert sizes == [RECORDS] * EARLY_ROUNDS + [ROUND_RECORDS] * 2


def test_empty_file_ends_its_first_round(tmp_path: Path) -> None:
    """The training step gets the end of each partition."""
    with Run(write(tmp_path / "e.jsonl", 0)) as run:
        assert shown(run.read()) == ([], [end(0, is_last=True)])


@pytest.mark.parametrize("waits", [False, True])
def test_partition_resumes_within_its_round(waits: bool, tmp_path: Path) -> None:
    """The rounds have the same borders as without the stop, and a stop ends no round."""
    path = write(tmp_path / "e.jsonl", RECORDS + 50)
    with Run(path) as run:
        run.read()
        if not waits:
            run.board.open(1, b"", None)
            assert shown(run.part.next_batch()) == (list(range(RECORDS, RECORDS + 50)), [])
        run.stop.set()
        with pytest.raises(StopIteration):
            run.part.next_batch()
        snapshot = run.part.snapshot()
    with Run(path, snapshot) as resumed:
        assert resumed.part.next_batch() == []
        resumed.board.open(1, b"", None)
        rest = list(range(RECORDS, RECORDS + 50)) if waits else []
        assert shown(resumed.read()) == (rest, [end(1, is_last=True)])


@pytest.mark.parametrize("grown", [0, 3])
def test_finished_partition_joins_the_open_round_after_a_resume(grown: int, tmp_path: Path) -> None:
    """A grown file brings its further records; other partitions may be in a later round."""
    path = write(tmp_path / "e.jsonl", 10)
    with Run(path) as run:
        run.read()
        snapshot = run.part.snapshot()
    write(path, grown, 10)
    with Run(path, snapshot) as resumed:
        assert resumed.part.next_batch() == []
        resumed.board.open(5, b"", None)
        assert shown(resumed.read()) == (list(range(10, 10 + grown)), [end(5, is_last=True)])


def test_position_of_an_earlier_version_begins_with_round_zero(tmp_path: Path) -> None:
    """A state folder from before rounds resumes at its position."""
    path = write(tmp_path / "e.jsonl", 10)
    before = FileSource([path], stop=Event(), counters=SourceCounters()).build_part("source", NAME, None)
    before.next_batch()
    before.close()
    position: Any = before.snapshot()
    with Run(write(path, 2, 10), position) as resumed:
        assert shown(resumed.read()) == ([10, 11], [end(0, is_last=True)])
