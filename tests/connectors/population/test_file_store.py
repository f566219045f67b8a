"""connectors/population/file_store: always a whole version, never an older one, and durable after `write`."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.population.file_store import FILE_NAME, PopulationFileStore, read_version
from state.errors import StateError, StorageError
from tests.support.repeated_reads import read_repeatedly
from tests.support.sample_population import version, write
from tests.support.sample_signals import NOW_MS


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / FILE_NAME


def test_without_a_file_there_is_no_version(path: Path) -> None:
    assert read_version(path) is None


def test_written_version_is_read(path: Path) -> None:
    PopulationFileStore(path).write(write(3))
    assert read_version(path) == version(3)
    assert path.read_bytes() == write(3).version
    assert [file.name for file in path.parent.iterdir()] == [FILE_NAME]


@given(numbers=st.lists(st.integers(1, 9), min_size=1, max_size=12), restarts=st.sets(st.integers(0, 11)))
def test_any_order_and_repeats_end_in_the_newest(
    tmp_path_factory: pytest.TempPathFactory, numbers: list[int], restarts: set[int]
) -> None:
    path = tmp_path_factory.mktemp("state") / FILE_NAME
    file = PopulationFileStore(path)
    for place, n in enumerate(numbers):
        if place in restarts:
            file = PopulationFileStore(path)
        file.write(write(n))
        assert read_version(path) == version(max(numbers[: place + 1]))


def test_version_with_a_number_reused_after_a_crash_replaces_the_first(path: Path) -> None:
    """A number is only reused if the first version did not reach Redis."""
    PopulationFileStore(path).write(write(3))
    PopulationFileStore(path).write(write(3, NOW_MS + 1))
    assert read_version(path) == version(3, NOW_MS + 1)


def test_reader_finds_a_complete_version(path: Path) -> None:
    """No reader finds a part of a version."""
    file = PopulationFileStore(path)
    file.write(write(1))
    with read_repeatedly(path) as found:
        for n in range(2, 50):
            file.write(write(n))
    assert found <= {write(n).version for n in range(1, 50)}


def test_partial_file_of_a_crash_does_not_prevent_a_write(path: Path) -> None:
    PopulationFileStore(path).write(write(3))
    path.with_name(f"{FILE_NAME}.new").write_bytes(write(4).version[:20])
    assert read_version(path) == version(3)
    PopulationFileStore(path).write(write(4))
    assert read_version(path) == version(4)


def test_bytes_are_durable_before_the_name_and_the_name_before_the_end(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut at any step leaves the old version or the new one."""
    PopulationFileStore(path).write(write(3))
    there_at_fsync = []
    real = os.fsync

    def noted(descriptor: int) -> None:
        real(descriptor)
        there_at_fsync.append((Path(f"/proc/self/fd/{descriptor}").resolve().name, read_version(path)))

    monkeypatch.setattr(os, "fsync", noted)
    PopulationFileStore(path).write(write(4))
    assert there_at_fsync == [(f"{FILE_NAME}.new", version(3)), (path.parent.name, version(4))]


@pytest.mark.parametrize("raw", [b"", b"{", b"null", b"\0" * 100, write(3).version[:-1], b'{"x":' + b"[" * 100_000])
def test_damaged_file_is_an_error_with_its_name_and_is_not_replaced(path: Path, raw: bytes) -> None:
    path.write_bytes(raw)
    with pytest.raises(StateError, match=rf"{FILE_NAME} is damaged.*restore it"):
        read_version(path)
    with pytest.raises(StateError, match="damaged"):
        PopulationFileStore(path).write(write(4))
    assert path.read_bytes() == raw


def test_full_disk_is_an_error_and_the_old_version_stays(path: Path) -> None:
    file = PopulationFileStore(path)
    file.write(write(3))
    path.with_name(f"{FILE_NAME}.new").symlink_to("/dev/full")
    with pytest.raises(StorageError, match=r"No space left.*free space"):
        file.write(write(4))
    assert [found.name for found in path.parent.iterdir()] == [FILE_NAME]
    assert read_version(path) == version(3)
    file.write(write(4))
    assert read_version(path) == version(4)


def test_missing_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="No such file"):
        PopulationFileStore(tmp_path / "gone" / FILE_NAME).write(write(1))


def test_unreadable_path_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="directory"):
        read_version(tmp_path)
