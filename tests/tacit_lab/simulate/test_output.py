"""Output of simulated records: a file is complete or absent, and a replay reads it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from connectors.files.line_reader import LineReader
from state.errors import SinkError
from tacit.errors import ConfigurationError
from tacit_lab.simulate.output import write_events

LINES = [f'{{"user_id": "user-{n}"}}'.encode() for n in range(5_000)]
SUFFIXES = (".jsonl", ".jsonl.gz", ".jsonl.zst")


def lines_of(path: Path) -> list[bytes]:
    reader, found = LineReader(path), []
    while batch := reader.read(1_000):
        found += [record.value for record in batch]
    reader.close()
    return found


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_every_event_file_is_readable_by_a_replay(tmp_path: Path, suffix: str) -> None:
    """Each record is one line, compressed by the suffix."""
    path = tmp_path / f"events{suffix}"
    assert write_events(LINES, str(path)) == len(LINES)
    assert lines_of(path) == LINES


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_same_records_give_the_same_bytes(tmp_path: Path, suffix: str) -> None:
    """A compressed file has neither its name nor the time."""
    one, other = tmp_path / f"one{suffix}", tmp_path / f"other{suffix}"
    write_events(LINES, str(one))
    write_events(LINES, str(other))
    assert one.read_bytes() == other.read_bytes()


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_reader_finds_old_or_new_contents(tmp_path: Path, suffix: str) -> None:
    """The file stays as it was while records are written."""
    path = tmp_path / f"events{suffix}"
    write_events(LINES[:10], str(path))

    def observed() -> Iterator[bytes]:
        for number, line in enumerate(LINES):
            if number % 1_000 == 0:
                assert lines_of(path) == LINES[:10]
            yield line

    write_events(observed(), str(path))
    assert lines_of(path) == LINES
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("suffix", SUFFIXES)
def test_failed_simulation_leaves_no_file(tmp_path: Path, suffix: str) -> None:
    """A reader never finds a part of a stream."""

    def failing() -> Iterator[bytes]:
        yield LINES[0]
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_events(failing(), str(tmp_path / f"events{suffix}"))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["events.csv", "events.json", "events.jsonl.bz2", "jsonl"])
def test_other_suffix_is_a_configuration_error(name: str) -> None:
    """The error lists the suffixes of event files."""
    with pytest.raises(ConfigurationError, match=r"must end in \.jsonl, \.jsonl\.gz, \.jsonl\.zst"):
        write_events(LINES, name)


def test_missing_folder_is_a_sink_error(tmp_path: Path) -> None:
    """The error names the path and the cause."""
    with pytest.raises(SinkError, match=r"events\.jsonl cannot be written: No such file or directory"):
        write_events(LINES, str(tmp_path / "missing" / "events.jsonl"))
