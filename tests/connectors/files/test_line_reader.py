"""connectors/files/line_reader.py."""

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
    return gzip.compress(text, mtime=0)  # the same bytes whenever it is made


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
    """A record's origin and position find its line again; blank lines and carriage returns are kept."""
    path = write(tmp_path, name, b'{"a":1}\r\n\n{"b":2}')
    origin = FileOrigin(str(path))
    assert iter_records(LineReader(path)) == [
        Record(origin, 1, b'{"a":1}\r'),
        Record(origin, 2, b""),
        Record(origin, 3, b'{"b":2}'),
    ]


@every_format
def test_empty_file_has_no_lines(tmp_path: Path, name: str) -> None:
    """A file without text ends at once."""
    assert lines(LineReader(write(tmp_path, name, b""))) == []


@every_format
@given(
    texts=st.lists(a_line, max_size=12), newline_at_end=st.booleans(), batch=st.integers(1, 5), stop=st.integers(0, 6)
)
def test_resuming_anywhere_reads_what_is_left(
    name: str, texts: list[bytes], newline_at_end: bool, batch: int, stop: int
) -> None:
    """What was read before a stop and what is read after it are the file, each line once."""
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


def test_endless_line_is_cut_and_takes_little_memory(tmp_path: Path) -> None:
    """Of 200 MB without a newline, 16 KiB and a byte are handed on, and the next line is whole."""
    path = write(tmp_path, "events.jsonl.zst", b"x" * 200_000_000 + b"\n{}\n")
    tracemalloc.start()
    read = lines(LineReader(path))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert [len(line) for line in read] == [MAX_EVENT_BYTES + 1, 2]
    assert peak < 100_000_000


@pytest.mark.parametrize("name", ["events.jsonl.gz", "events.jsonl.zst"])
def test_cut_off_file_delivers_its_lines_then_names_the_damage(tmp_path: Path, name: str) -> None:
    """Lines before the damage are read; the error says where it is; a whole copy is read on from there."""
    text = b"".join(b'{"n":%d,"noise":"%x"}\n' % (n, n * n * 7919) for n in range(20_000))
    path = tmp_path / name
    path.write_bytes(FORMATS[name](text)[:-100])
    file = LineReader(path)
    read = file.read(1_000_000)
    assert 0 < len(read) < 20_000
    with pytest.raises(SourceError, match=rf"{name}: damaged or cut short in line {len(read) + 1}: .*whole copy"):
        file.read(1000)
    path.write_bytes(FORMATS[name](text))
    rest = lines(LineReader(path, file.position))
    assert b"\n".join([*(record.value for record in read), *rest]) + b"\n" == text


def test_grown_file_is_read_on(tmp_path: Path) -> None:
    """Lines appended since the earlier run are read, those before are not read again."""
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
def test_changed_file_is_refused(tmp_path: Path, now: bytes) -> None:
    """Reading does not go on at a position of another text."""
    path = write(tmp_path, "events.jsonl", b"1\n2\n3\n")
    file = LineReader(path)
    file.read(2)
    file.close()
    path.write_bytes(now)
    with pytest.raises(SourceError, match=r"is not the file that the earlier run stopped in.*new state folder"):
        LineReader(path, file.position)


def test_position_within_a_line_is_refused(tmp_path: Path) -> None:
    """A file whose lines lie elsewhere than before is another one, even if it begins the same."""
    path = write(tmp_path, "events.jsonl", b"1234\n5\n")
    file = LineReader(path)
    file.close()
    with pytest.raises(SourceError, match="is not the file"):
        LineReader(path, file.position._replace(byte=3))


def test_last_line_that_grew_is_refused(tmp_path: Path) -> None:
    """The rest of a line that was read unfinished is not taken for a line."""
    path = write(tmp_path, "events.jsonl", b'{}\n{"a"')
    file = LineReader(path)
    assert lines(file) == [b"{}", b'{"a"']
    path.write_bytes(b'{}\n{"a":1}\n')
    with pytest.raises(SourceError, match="was changed since"):
        LineReader(path, file.position)


def test_missing_file_is_one_clear_error(tmp_path: Path) -> None:
    """The error names the file and the system's reason."""
    with pytest.raises(SourceError, match=r"gone\.jsonl: cannot be read: No such file"):
        LineReader(tmp_path / "gone.jsonl")
