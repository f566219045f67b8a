"""Upload: each table once, all other files in one archive, and an archive writes nothing outside of its folder."""

import io
import tarfile
from collections.abc import Callable
from pathlib import Path
from time import monotonic

import pytest
import zstandard

from dataflows.cuts.bucket import Bucket
from dataflows.cuts.send_rate import SendRate
from dataflows.cuts.staging import Staged, local_shards, stage
from dataflows.cuts.upload import Uploader, known_tables, pack, unpack
from dataflows.state_folder import SHARDS
from state.errors import StateError, StorageError
from state.storage.manifest import TABLE, manifest_file
from tacit.contract.pseudonyms import pseudonym
from tests.support.commands import SECRET
from tests.support.cuts import make_cut, objects, plain_cut, teach, upload, uploader
from tests.support.histories import START_MS

ADA = pseudonym("u:ada", SECRET.encode())


def staged_all(state: Path) -> Staged:
    return stage(state, {shard.shard for shard in local_shards(state / SHARDS)})


def test_part_names_the_tables_of_all_checkpoints(state: Path, bucket: Bucket) -> None:
    staged = staged_all(state)
    part = uploader(bucket).upload(staged, {}, 1, 1).part
    found = {shard.checkpoint: shard.tables for shard in part.checkpoints}
    assert set(found) == set(staged.checkpoints)
    for token, manifest in staged.checkpoints.items():
        assert {name: (file.size, file.checksum) for name, file in found[token].items()} == {
            name: file for name, file in manifest.files.items() if name.endswith(TABLE)
        }


def test_all_objects_of_a_part_are_stored_with_their_bytes(state: Path, bucket: Bucket, tmp_path: Path) -> None:
    cut = make_cut(bucket, state)
    assert set(objects(bucket.store)) == {file.key for file in cut.files} | set(bucket.cuts())
    for file in cut.files:
        bucket.store.fetch(file.key, tmp_path / "fetched", file.size, file.checksum)


def test_known_tables_are_not_sent_again(state: Path, bucket: Bucket) -> None:
    """Only the archive of an unchanged folder is sent."""
    first = make_cut(bucket, state)
    again = upload(bucket, state, number=2)
    assert again.bytes == again.part.archive.size
    named = {file.key for shard in again.part.checkpoints for file in shard.tables.values()}
    assert named == {file.key for file in first.files[1:]}


def test_later_run_sends_new_tables_only(state: Path, bucket: Bucket) -> None:
    """It names its tables by another execution, and refers to those of the run before."""
    first = make_cut(bucket, state)
    teach(state, [ADA], START_MS + 3_600_000)
    second = make_cut(bucket, state, number=2, execution="run2")
    new = {file.key for file in second.files[1:]} - {file.key for file in first.files}
    assert len(new) == 1
    assert new.pop().split("/")[2] == "run2"


def test_table_of_the_same_name_with_other_bytes_is_another_one(state: Path, bucket: Bucket) -> None:
    first = make_cut(bucket, state)
    changed = {(*key[:3], key[3] ^ 1): file for key, file in known_tables(first).items()}
    sent = uploader(bucket, "run2").upload(staged_all(state), changed, 1, 2)
    assert sent.bytes == sum(file.size for file in first.files[1:]) + sent.part.archive.size


def test_table_of_several_checkpoints_is_sent_once(state: Path, bucket: Bucket) -> None:
    """A host stages all checkpoints that the cut may need."""
    teach(state, [ADA], START_MS + 3_600_000)
    staged = staged_all(state)
    sent = uploader(bucket).upload(staged, {}, 1, 1)
    tables = {key: size for key, size in objects(bucket.store).items() if key.startswith("tables/")}
    assert len(sent.part.checkpoints) > len({token.shard for token in staged.checkpoints})
    assert sent.bytes == sum(tables.values()) + sent.part.archive.size


def test_without_a_cut_no_table_is_known() -> None:
    assert known_tables(None) == {}


def test_tables_of_a_cut_are_known_by_shard_name_size_and_checksum() -> None:
    cut = plain_cut(1, ["tables/000/run/000009.sst"])
    assert known_tables(cut) == {(0, "000009.sst", 1, 0): cut.files[1]}


def test_upload_waits_to_stay_below_its_rate(state: Path, bucket: Bucket) -> None:
    """The archive waits for the time of the tables, and the next part for that of both."""
    pauses: list[float] = []
    began_s = monotonic()
    limited = Uploader(bucket, 0, "run1", SendRate(0.001, pauses.append))
    sent = limited.upload(staged_all(state), {}, 1, 1)
    limited.upload(staged_all(state), {}, 1, 2)
    tables_bytes, archive_bytes = sent.bytes - sent.part.archive.size, sent.part.archive.size
    late_s = monotonic() - began_s
    before_archive, *_ = (pause for pause in pauses if pause > tables_bytes / 1048.576 - late_s)
    assert before_archive == pytest.approx(tables_bytes / 1048.576, abs=late_s)
    assert max(pauses) >= (2 * tables_bytes + archive_bytes) / 1048.576 - late_s


# Archives


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_archive_has_all_files_but_tables(state: Path, tmp_path: Path) -> None:
    staged = staged_all(state)
    pack(staged.path, tmp_path / "archive")
    unpack(tmp_path / "archive", tmp_path / "unpacked")
    expected = {name: data for name, data in contents(staged.path).items() if not name.endswith(TABLE)}
    assert contents(tmp_path / "unpacked") == expected


def test_archive_within_its_folder_does_not_have_itself(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"bytes")
    pack(tmp_path, tmp_path / "archive")
    unpack(tmp_path / "archive", tmp_path / "unpacked")
    assert contents(tmp_path / "unpacked") == {"file": b"bytes"}


def archive_with(path: Path, name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> Path:
    """Write an archive with one entry."""
    with (
        path.open("wb") as file,
        zstandard.ZstdCompressor().stream_writer(file) as compressed,
        tarfile.open(fileobj=compressed, mode="w|") as tar,
    ):
        entry = tarfile.TarInfo(name)
        entry.type, entry.linkname, entry.size = kind, target, 0 if target else 5
        tar.addfile(entry, io.BytesIO(b"bytes"))
    return path


@pytest.mark.parametrize(
    ("name", "kind", "target"),
    [
        ("../outside", tarfile.REGTYPE, ""),
        ("link", tarfile.SYMTYPE, "../outside"),
        ("link", tarfile.LNKTYPE, "../outside"),
        ("device", tarfile.CHRTYPE, ""),
    ],
)
def test_archive_with_a_path_outside_is_an_error(name: str, kind: bytes, target: str, tmp_path: Path) -> None:
    with pytest.raises(StateError, match=r"archive is damaged: .*; use an older cut, or a savepoint"):
        unpack(archive_with(tmp_path / "archive", name, kind, target), tmp_path / "unpacked")
    assert not (tmp_path / "outside").exists()


def _cut_off(data: bytes) -> bytes:
    return data[: len(data) // 2]


@pytest.mark.parametrize("spoil", [_cut_off, lambda _: b"", lambda _: b"no archive"])
def test_damaged_archive_is_an_error(spoil: Callable[[bytes], bytes], state: Path, tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    pack(staged_all(state).path, archive)
    archive.write_bytes(spoil(archive.read_bytes()))
    with pytest.raises(StateError, match=r"archive is damaged: .*; use an older cut, or a savepoint"):
        unpack(archive, tmp_path / "unpacked")


def test_archive_is_that_of_the_part(state: Path, bucket: Bucket, tmp_path: Path) -> None:
    archive = upload(bucket, state).part.archive
    bucket.store.fetch(archive.key, tmp_path / "archive", archive.size, archive.checksum)
    assert manifest_file(tmp_path / "archive") == (archive.size, archive.checksum)


def test_files_with_several_names_are_whole_in_an_archive(tmp_path: Path) -> None:
    """Checkpoints share files by hard links; each of the two may be needed without the other."""
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "one").write_bytes(b"shared")
    (folder / "two").hardlink_to(folder / "one")
    pack(folder, tmp_path / "archive")
    unpack(tmp_path / "archive", tmp_path / "unpacked")
    assert [(tmp_path / "unpacked" / name).read_bytes() for name in ("one", "two")] == [b"shared"] * 2
    assert (tmp_path / "unpacked" / "one").stat().st_mtime == pytest.approx((folder / "one").stat().st_mtime, abs=1e-3)


def test_full_disk_is_one_error(state: Path, tmp_path: Path) -> None:
    """The process that uploads then tries the next cut."""
    archive = tmp_path / "full"
    archive.symlink_to("/dev/full")
    with pytest.raises(StorageError, match=r"full cannot be used: No space left on device; free space"):
        pack(state, archive)
    pack(state, tmp_path / "archive")
    (tmp_path / "target").mkdir()
    (tmp_path / "target" / "tacit.json").symlink_to("/dev/full")
    with pytest.raises(StorageError, match=r"target cannot be used: No space left on device; free space"):
        unpack(tmp_path / "archive", tmp_path / "target")
