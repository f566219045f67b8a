"""Sums of blocks: a run that resumes has the checksum of an uninterrupted one."""

from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.files import block_sums
from connectors.files.block_sums import BlockSums, checksum, has_sums


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(block_sums, "BLOCK_BYTES", 8)


@given(data=st.binary(max_size=100), cut=st.integers(0, 100), piece=st.integers(1, 30), known=st.booleans())
def test_sums_do_not_depend_on_pieces_and_stops(data: bytes, cut: int, piece: int, known: bool) -> None:
    """A later run gets the sums of the earlier one, or reads the bytes before its begin."""
    with pytest.MonkeyPatch.context() as patch, TemporaryDirectory() as folder:
        patch.setattr(block_sums, "BLOCK_BYTES", 8)
        path = Path(folder) / "file"
        path.write_bytes(data)
        cut = min(cut, len(data))
        first = BlockSums()
        first.add(memoryview(data[: cut + 3]))  # a reader reads ahead of its position
        second = BlockSums.resumed(first.sums if known else (), path, cut)
        for start in range(cut, len(data), piece):
            second.add(memoryview(data[start : start + piece]))
        whole = [sha256(data[start : start + 8]).hexdigest() for start in range(0, len(data), 8)]
        assert second.sums == BlockSums.of(path, len(data)).sums == whole
        assert second.bytes == len(data)
        assert has_sums(path, len(data), whole, sampled=False)


def test_checksum_of_one_block_is_that_of_the_file() -> None:
    """Other programs compute the same."""
    sums = BlockSums()
    assert checksum(sums.sums) == sha256().hexdigest()
    sums.add(memoryview(b"12345678"))
    assert checksum(sums.sums) == sha256(b"12345678").hexdigest()


@pytest.mark.parametrize(("at", "sampled"), [(0, True), (799, True), (303, False)])
def test_changed_byte_is_found(tmp_path: Path, at: int, sampled: bool) -> None:
    """Samples always have the first and the last block."""
    data = bytearray(800)
    path = tmp_path / "file"
    path.write_bytes(data)
    sums = BlockSums.of(path, 800).sums
    assert has_sums(path, 800, sums, sampled=sampled)
    data[at] = 1
    path.write_bytes(data)
    assert not has_sums(path, 800, sums, sampled=sampled)
