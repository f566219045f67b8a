"""Open round of a process, and its way to other processes."""

from pathlib import Path

from connectors.rounds.board import FileRoundStore, RoundBoard
from state.learning.population_prior import Prior
from tests.support.factories import CATALOGUE

PRIOR = Prior(CATALOGUE)


class Process:
    """The board of a process, and the versions that it used."""

    def __init__(self, folder: Path | None) -> None:
        self.used: list[tuple[bytes, Prior | None]] = []
        self.board = RoundBoard(
            lambda version, prior: self.used.append((version, prior)), FileRoundStore(folder) if folder else None
        )


def test_single_process_uses_the_prior_of_the_training() -> None:
    """Nothing is decoded, and a round without a version keeps the prior."""
    process = Process(None)
    process.board.open(1, b"version", PRIOR)
    process.board.open(2, b"", None)
    process.board.look()
    assert (process.board.number(), process.used) == (2, [(b"version", PRIOR)])


def test_other_processes_find_the_round_in_the_folder(tmp_path: Path) -> None:
    """A version is taken over once, in whole, however long it is."""
    one, other = Process(tmp_path), Process(tmp_path)
    other.board.look()
    assert (other.board.opened, other.board.is_announced) == (0, False)
    version = b"\n" + bytes(200_000)
    one.board.open(1, version, PRIOR)
    for _ in range(2):
        other.board.look()
    assert (other.board.opened, other.board.is_announced, other.used) == (1, True, [(version, None)])


def test_records_of_another_process_bring_their_round(tmp_path: Path) -> None:
    """The round is in force before the records are used, and an earlier round changes nothing."""
    one, other = Process(tmp_path), Process(tmp_path)
    one.board.open(1, b"first", PRIOR)
    other.board.enter(0)
    assert other.used == []
    other.board.enter(1)
    assert other.used == [(b"first", None)]
    one.board.open(2, b"second", PRIOR)
    other.board.enter(1)
    assert other.used == [(b"first", None)]


def test_resumed_round_zero_is_announced(tmp_path: Path) -> None:
    """A partition that joins the open round waits for the announcement, also of round 0."""
    one, other = Process(tmp_path), Process(tmp_path)
    one.board.open(0, b"", None)
    other.board.look()
    assert (other.board.opened, other.board.is_announced) == (0, True)
