"""File source: sequence of files, snapshots, stop and resume."""

import pickle
import threading
from collections.abc import Iterable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import TestingSink, run_main

from connectors.files.source import FileSource, FilesPartition, Snapshot
from state.counters import SourceCounters
from state.errors import SourceError
from state.events.records import Record


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Return three files of 3, 0 and 2 lines."""
    paths = [tmp_path / name for name in ("a.jsonl", "b.jsonl", "c.jsonl")]
    for path, text in zip(paths, (b"1\n2\n3\n", b"", b"4\n5"), strict=True):
        path.write_bytes(text)
    return paths


def source(paths: list[Path], batch_size: int = 2) -> FileSource:
    return FileSource(paths, stop=threading.Event(), counters=SourceCounters(), batch_size=batch_size)


def opened(paths: list[Path]) -> closing[FilesPartition]:
    return closing(source(paths).build_part("", "files", None))


def rest(paths: list[Path], snapshot: Snapshot) -> list[bytes]:
    """Return the lines of a later run."""
    with closing(source(paths).build_part("", "files", snapshot)) as partition:
        return values(partition)


def values(partition: FilesPartition) -> list[bytes]:
    read: list[bytes] = []
    while True:
        try:
            read += [record.value for record in partition.next_batch()]
        except StopIteration:
            return read


def test_files_are_one_sequence_in_the_order_given(files: list[Path]) -> None:
    """The one partition has the lines of each file in turn."""
    assert source(files).list_parts() == ["files"]
    with opened(list(reversed(files))) as partition:
        assert values(partition) == [b"4", b"5", b"1", b"2", b"3"]


def test_each_snapshot_resumes_after_the_last_batch(files: list[Path]) -> None:
    """The next run reads exactly the lines after the snapshot, for every batch."""
    with opened(files) as partition:
        snapshots, read = [partition.snapshot()], [0]
        for _ in range(3):
            read.append(read[-1] + len(partition.next_batch()))
            snapshots.append(partition.snapshot())
    assert read == [0, 2, 3, 5]
    for snapshot, count in zip(snapshots, read, strict=True):
        assert rest(files, snapshot) == [b"1", b"2", b"3", b"4", b"5"][count:]


def test_snapshot_is_made_of_plain_values(files: list[Path]) -> None:
    """Bytewax stores no class name of Tacit."""
    with opened(files) as partition:
        assert b"connectors" not in pickle.dumps(partition.snapshot())


def test_stop_ends_the_source_and_keeps_its_position(files: list[Path]) -> None:
    """After `stop` the source reads no line, and a later run resumes there."""
    stop = threading.Event()
    stoppable = FileSource(files, stop=stop, counters=SourceCounters(), batch_size=2)
    with closing(stoppable.build_part("", "files", None)) as partition:
        partition.next_batch()
        stop.set()
        with pytest.raises(StopIteration):
            partition.next_batch()
        assert rest(files, partition.snapshot()) == [b"3", b"4", b"5"]


def test_counters_hold_records_bytes_and_progress(files: list[Path]) -> None:
    """The count of bytes includes newlines."""
    counters = SourceCounters()
    counted = FileSource(files, stop=threading.Event(), counters=counters)
    with closing(counted.build_part("", "files", None)) as partition:
        values(partition)
    assert (counters.records, counters.bytes) == (5, 9)
    assert counters.progressed_at > 0


def test_wrong_paths_are_one_error_of_the_constructor(tmp_path: Path) -> None:
    """The error names all missing files and all files with another suffix."""
    (tmp_path / "notes.txt").touch()
    with pytest.raises(SourceError) as error:
        source([tmp_path / "gone.jsonl", tmp_path / "notes.txt"])
    assert "gone.jsonl: there is no such file" in str(error.value)
    assert "notes.txt: not an event file; its name must end in .jsonl, .jsonl.gz, .jsonl.zst" in str(error.value)


@pytest.mark.parametrize(
    ("path", "problem"),
    [("/dev/null", "/dev/null: is a device, a pipe or a folder"), ("gone.txt", "gone.txt: there is no such file")],
)
def test_wrong_path_is_one_problem(path: str, problem: str) -> None:
    with pytest.raises(SourceError) as error:
        source([Path(path)])
    assert str(error.value).startswith(problem)
    assert "\n" not in str(error.value)


def test_no_files_are_an_error() -> None:
    """An empty list is a mistake, not an empty history."""
    with pytest.raises(SourceError, match="no source file"):
        source([])


def test_resume_with_fewer_files_is_an_error(files: list[Path]) -> None:
    """A position in the third file is invalid for two files."""
    with opened(files) as partition:
        values(partition)
        snapshot = partition.snapshot()
    with pytest.raises(SourceError, match="stopped in file number 3, and the source has 2 files"):
        rest(files[:2], snapshot)


def test_resume_with_swapped_files_is_an_error(files: list[Path]) -> None:
    """A position is valid in its own file only."""
    with opened(files) as partition:
        partition.next_batch()
        snapshot = partition.snapshot()
    with pytest.raises(SourceError, match="is not the file in which the earlier run stopped"):
        rest(list(reversed(files)), snapshot)


def test_bytewax_resumes_a_stopped_run(files: list[Path], tmp_path: Path) -> None:
    """Two runs with one recovery store read each line once."""
    store = tmp_path / "recovery"
    store.mkdir()
    init_db_dir(store, 1)
    stop = threading.Event()

    def stop_after(record: Record) -> Iterable[bytes]:
        if record.value == b"2":
            stop.set()
        return [record.value]

    def run() -> list[bytes]:
        read: list[bytes] = []
        flow = Dataflow("files")
        records = op.input("in", flow, FileSource(files, stop=stop, counters=SourceCounters(), batch_size=1))
        op.output("out", op.flat_map("stop", records, stop_after), TestingSink(read))
        run_main(flow, epoch_interval=timedelta(0), recovery_config=RecoveryConfig(store))
        return read

    first = run()
    stop.clear()
    second = run()
    assert first[:2] == [b"1", b"2"]
    assert len(first) < 5
    assert first + second == [b"1", b"2", b"3", b"4", b"5"]
