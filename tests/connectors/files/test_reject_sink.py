"""Reject file: several writers, torn lines, and a full disk."""

import json
import resource
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSource, cluster_main

from connectors.files.reject_sink import FileRejectSink, RejectFile
from state.errors import SinkError
from state.events.records import FileOrigin, Reason, Reject


def reject(line: int) -> Reject:
    return Reject(Reason.NOT_JSON, "", FileOrigin("a.jsonl"), line, "e3b0", 1795297433438)


def lines_of(path: Path) -> list[int]:
    return [json.loads(text)["origin"]["line"] for text in path.read_text().splitlines()]


def append_500(path: Path) -> None:
    file = RejectFile(path)
    for line in range(500):
        file.write_batch([reject(line), reject(line)])
    file.close()


@contextmanager
def files_limited_to(size: int) -> Iterator[None]:
    """Limit the size of files, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_dataflow_appends_a_line_per_reject(tmp_path: Path) -> None:
    """Two workers append to one file, and the earlier content stays."""
    path = tmp_path / "rejects.jsonl"
    path.write_bytes(reject(0).to_json() + b"\n")
    flow = Dataflow("rejects")
    rejects = op.input("in", flow, TestingSource([reject(line) for line in range(1, 8)], batch_size=3))
    op.output("out", op.redistribute("spread", rejects), FileRejectSink(path))
    cluster_main(flow, [], 0, worker_count_per_proc=2)
    assert sorted(lines_of(path)) == list(range(8))


def test_batches_of_processes_do_not_interleave(tmp_path: Path) -> None:
    """The lines of a batch are consecutive."""
    path = tmp_path / "rejects.jsonl"
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        list(pool.map(append_500, [path, path]))
    lines = lines_of(path)
    assert len(lines) == 2000
    assert lines[::2] == lines[1::2]


def test_renamed_or_deleted_file_is_made_again(tmp_path: Path) -> None:
    """As logrotate renames it: no reject of a later batch is lost to the old file."""
    path, old = tmp_path / "rejects.jsonl", tmp_path / "rejects.jsonl.1"
    file = RejectFile(path)
    file.write_batch([reject(1)])
    path.rename(old)
    file.write_batch([reject(2)])
    path.unlink()
    file.write_batch([reject(3)])
    file.close()
    assert (lines_of(old), lines_of(path)) == ([1], [3])


def test_reject_after_a_torn_line_is_whole(tmp_path: Path) -> None:
    """A new reject starts on a new line after half a line of a crash."""
    path = tmp_path / "rejects.jsonl"
    path.write_bytes(b'{"reason":"not_js')
    file = RejectFile(path)
    file.write_batch([reject(7)])
    file.close()
    torn, whole = path.read_bytes().splitlines()
    assert torn == b'{"reason":"not_js'
    assert whole == reject(7).to_json()


def test_opening_a_file_does_not_change_it(tmp_path: Path) -> None:
    """Restarts add no blank lines."""
    path = tmp_path / "rejects.jsonl"
    for _ in range(3):
        FileRejectSink(path).build("out", 0, 1).close()
    assert path.read_bytes() == b""


def test_full_disk_is_an_error_and_leaves_whole_lines(tmp_path: Path) -> None:
    """A batch that does not fit leaves no bytes, so a repeat breaks no line."""
    path = tmp_path / "rejects.jsonl"
    file = RejectFile(path)
    file.write_batch([reject(1)])
    with (
        files_limited_to(path.stat().st_size + 50),
        pytest.raises(SinkError, match=r"rejects\.jsonl: cannot be written: File too large; free disk space"),
    ):
        file.write_batch([reject(2)])
    file.close()
    assert lines_of(path) == [1]


@pytest.mark.parametrize("path", ["no-such-folder/rejects.jsonl", "."])
def test_unwritable_path_is_an_error_of_the_constructor(tmp_path: Path, path: str) -> None:
    """A wrong path is an error before the first reject."""
    with pytest.raises(SinkError, match=r"cannot be written: .*a folder that exists and is writable"):
        FileRejectSink(tmp_path / path)
