"""Line reader: lines of each format, resume at a position, and damaged files."""

import gzip
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from connectors.files.line_reader import LineReader
from state.errors import SourceError
from state.events.records import FileOrigin, Record
from tacit.contract.events import MAX_EVENT_BYTES


def _plain(text: bytes) -> bytes:
    return text


def _gzip(text: bytes) -> bytes:
    return gzip.compress(text, mtime=0)  # the same bytes at any time


FORMATS: dict[str, Callable[[bytes], bytes]] = {
    "events.jsonl": _plain,
    "events.jsonl.gz": _gzip,
    "events.jsonl.zst": zstandard.compress,
}

every_format = pytest.mark.parametrize("name", FORMATS)

a_line = st.one_of(
    st.binary(max_size=20).map(lambda text: text.replace(b"\n", b" ")),
    st.integers(MAX_EVENT_BYTES - 2, MAX_EVENT_BYTES + 3).map(lambda length: b"x" * length),
)


def write(folder: Path, name: str, text: bytes) -> Path:
    path = folder / name
    path.write_bytes(FORMATS[name](text))
    return path


def lines(file: LineReader, batch: int = 1000) -> list[bytes]:
    return [record.value for record in iter_records(file, batch)]


def iter_records(file: LineReader, batch: int = 1000) -> list[Record]:
    records: list[Record] = []
    while read := file.read(batch):
        records += read
    file.close()
    return records


@every_format
def test_lines_come_with_file_and_line_number(tmp_path: Path, name: str) -> None:
    """A record has the file as origin and the line as position; blank lines and carriage returns stay."""
    path = write(tmp_path, name, b'{"a":1}\r\n\n{"b":2}')
    origin = FileOrigin(str(path))
    assert iter_records(LineReader(path)) == [
        Record(origin, 1, b'{"a":1}\r'),
        Record(origin, 2, b""),
        Record(origin, 3, b'{"b":2}'),
    ]


@every_format
def test_empty_file_has_no_lines(tmp_path: Path, name: str) -> None:
    """A file without text gives no record."""
    assert lines(LineReader(write(tmp_path, name, b""))) == []


@every_format
@given(
    texts=st.lists(a_line, max_size=12), newline_at_end=st.booleans(), batch=st.integers(1, 5), stop=st.integers(0, 6)
)
def test_resume_at_any_position_reads_the_rest(
    name: str, texts: list[bytes], newline_at_end: bool, batch: int, stop: int
) -> None:
    """The lines before and after a stop are together the file, each line once."""
    text = b"\n".join(texts) + (b"\n" if newline_at_end else b"")
    expected = [line[: MAX_EVENT_BYTES + 1] for line in text.removesuffix(b"\n").split(b"\n")] if text else []
    with TemporaryDirectory() as folder:
        path = write(Path(folder), name, text)
        first = LineReader(path)
        before = [record for _ in range(stop) for record in first.read(batch)]
        first.close()
        after = iter_records(LineReader(path, first.position), batch)
    assert [record.value for record in before + after] == expected
    assert [record.position for record in before + after] == list(range(1, len(expected) + 1))


def test_long_line_is_truncated_in_little_memory(tmp_path: Path) -> None:
    """A line of 200 MB becomes a record of 16 KiB and a byte, and the next line is whole."""
    path = write(tmp_path, "events.jsonl.zst", b"x" * 200_000_000 + b"\n{}\n")
    tracemalloc.start()
    read = lines(LineReader(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [len(line) for line in read] == [MAX_EVENT_BYTES + 1, 2]
    assert peak < 100_000_000


@pytest.mark.parametrize("name", ["events.jsonl.gz", "events.jsonl.zst"])
def test_truncated_file_returns_its_lines_before_the_error(tmp_path: Path, name: str) -> None:
    """The error names the line of the damage, and a whole copy resumes from there."""
    text = b"".join(b'{"n":%d,"noise":"%x"}\n' % (n, n * n * 7919) for n in range(20_000))
    path = tmp_path / name
    path.write_bytes(FORMATS[name](text)[:-100])
    file = LineReader(path)
    read = file.read(1_000_000)
    assert 0 < len(read) < 20_000
    with pytest.raises(SourceError, match=rf"{name}: is damaged or truncated in line {len(read) + 1}: .*whole copy"):
        file.read(1000)
    path.write_bytes(FORMATS[name](text))
    rest = lines(LineReader(path, file.position))
    assert b"\n".join([*(record.value for record in read), *rest]) + b"\n" == text


def test_large_zstd_window_is_named_with_the_setting_that_allows_it(tmp_path: Path) -> None:
    """A file that `zstd -d` refuses, too, is not called damaged."""
    settings = zstandard.ZstdCompressionParameters.from_level(3, window_log=28)
    compressor = zstandard.ZstdCompressor(compression_params=settings).compressobj()  # without a size in the header
    path = tmp_path / "events.jsonl.zst"
    path.write_bytes(compressor.compress(b"{}\n") + compressor.flush())
    with pytest.raises(SourceError, match=r"zstd window of 256 MiB in line 1, .* allow it by --zstd-window-mib 256"):
        LineReader(path).read(10)
    assert lines(LineReader(path, window_mib=256)) == [b"{}"]


def test_resume_reads_appended_lines(tmp_path: Path) -> None:
    """A resume reads the lines that were appended since the earlier run, and no earlier line."""
    path = write(tmp_path, "events.jsonl", b"1\n2\n")
    file = LineReader(path)
    assert lines(file) == [b"1", b"2"]
    path.write_bytes(b"1\n2\n3\n")
    assert lines(LineReader(path, file.position)) == [b"3"]


@pytest.mark.parametrize(
    "now",
    [b"9\n2\n3\n", b"1\n", b"1\n2", b""],
    ids=["other beginning", "shorter", "shorter by the newline", "empty"],
)
def test_resume_in_a_changed_file_is_an_error(tmp_path: Path, now: bytes) -> None:
    """A position of another text does not resume."""
    path = write(tmp_path, "events.jsonl", b"1\n2\n3\n")
    file = LineReader(path)
    file.read(2)
    file.close()
    path.write_bytes(now)
    with pytest.raises(SourceError, match=r"is not the file in which the earlier run stopped.*start over with --again"):
        LineReader(path, file.position)


def test_resume_within_a_line_is_an_error(tmp_path: Path) -> None:
    """A file with other line boundaries is another file, even with the same beginning."""
    path = write(tmp_path, "events.jsonl", b"1234\n5\n")
    file = LineReader(path)
    file.close()
    with pytest.raises(SourceError, match="is not the file"):
        LineReader(path, file.position._replace(byte=3))


@pytest.mark.parametrize(
    ("now", "rest"),
    [
        (b'{}\n{"a":1}', []),
        (b'{}\n{"a":1}\n', []),
        (b'{}\n{"a":1} \r\n{"b":2}\n', [b'{"b":2}']),
        (b'{}\n{"a":1}x\n{"b":2}\n', [b"x", b'{"b":2}']),
    ],
    ids=["same", "newline", "blanks and a line", "more text"],
)
@every_format
def test_newline_of_a_line_that_was_read_without_it_is_no_line(
    tmp_path: Path, name: str, now: bytes, rest: list[bytes]
) -> None:
    """The line is neither read again nor lost; other text after it is a line of the same number."""
    before = b'{}\n{"a":1}'
    path = write(tmp_path, name, before)
    file = LineReader(path, holds_back=True)
    assert lines(file) == [b"{}", b'{"a":1}']
    if name == "events.jsonl":
        path.write_bytes(now)
    else:
        path.write_bytes(path.read_bytes() + FORMATS[name](now.removeprefix(before)))
    records = iter_records(LineReader(path, file.position))
    assert [record.value for record in records] == rest
    assert [record.position for record in records] == ([3] if len(rest) == 1 else [2, 3][: len(rest)])


@every_format
def test_unfinished_last_line_waits(tmp_path: Path, name: str) -> None:
    """A part of an object is held back, and a later run reads the whole line."""
    path = write(tmp_path, name, b'{}\n{"a":')
    file = LineReader(path, holds_back=True)
    assert lines(file) == [b"{}"]
    assert file.held_back
    if name == "events.jsonl":
        path.write_bytes(b'{}\n{"a":1}\n')
    else:
        path.write_bytes(path.read_bytes() + FORMATS[name](b"1}\n"))
    again = LineReader(path, file.position, holds_back=True)
    assert iter_records(again) == [Record(FileOrigin(str(path)), 2, b'{"a":1}')]
    assert not again.held_back


@pytest.mark.parametrize("name", ["events.jsonl.gz", "events.jsonl.zst"])
def test_resume_at_the_end_of_a_frame_reads_no_earlier_frame(tmp_path: Path, name: str) -> None:
    """The position has the begin of the frame, so earlier frames may even be damaged."""
    path = tmp_path / name
    path.write_bytes(FORMATS[name](b"1\n2\n") + FORMATS[name](b"3\n"))
    file = LineReader(path)
    assert lines(file) == [b"1", b"2", b"3"]
    assert file.position.frame == path.stat().st_size
    path.write_bytes(path.read_bytes() + bytes(512) + FORMATS[name](b"4\n"))
    assert lines(LineReader(path, file.position)) == [b"4"]


def test_long_line_is_skipped_in_parts(tmp_path: Path) -> None:
    """Each read ends within a limit, and a stop within the line resumes there; a hole of a file is such a line."""
    path = tmp_path / "events.jsonl"
    with path.open("wb") as file:
        file.write(b"{}\n")
        file.seek(200_000_000)
        file.write(b"\n{}\n")
    reader = LineReader(path)
    assert [len(record.value) for record in reader.read_some(10)] == [2, MAX_EVENT_BYTES + 1]
    assert reader.read_some(10) == []
    assert not reader.ended
    reader.close()
    assert lines(LineReader(path, reader.position)) == [b"{}"]


def test_missing_file_is_an_error(tmp_path: Path) -> None:
    """The error has the file and the reason of the system."""
    with pytest.raises(SourceError, match=r"gone\.jsonl: cannot be read: No such file"):
        LineReader(tmp_path / "gone.jsonl")
