"""Fetch of a cut: the same users in an empty folder, and damage that changes no file of a folder."""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from msgspec.structs import replace

from dataflows.cuts.bucket import Bucket
from dataflows.cuts.cut import Cut, StoredFile
from dataflows.cuts.fetch import ShardFetch, fetch
from dataflows.cuts.upload import pack, unpack
from dataflows.hosts.line import Line, read_line
from dataflows.rotation.tokens import read_tokens
from dataflows.state_folder import FETCHED, FETCHING, RECOVERY, ROOT_FILES, SHARDS, exclusive, write_folder_id
from state.catalogue.numbered import NumberedCatalogue
from state.errors import ObjectDamagedError, StateError
from state.storage.checkpoint_folder import ShardFolder
from state.storage.manifest import MANIFEST_FILE, TABLE, manifest_file
from tacit.contract.pseudonyms import pseudonym
from tests.support.commands import SECRET
from tests.support.cuts import make_cut, teach, users_of
from tests.support.histories import START_MS
from tests.support.shard_stores import open_stores

ADA = pseudonym("u:ada", SECRET.encode())
LATER_MS = START_MS + 3_600_000


def fetch_whole(bucket: Bucket, cut: Cut, folder: Path) -> None:
    """Fetch a cut with all of its shards, as the processes of a run do."""
    fetch(bucket, cut, folder)
    complete = ShardFetch(bucket, folder)
    for token in read_tokens(folder / RECOVERY).values():
        complete(token)


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and path.name not in {"run.lock", "lock"}
    }


def tables_of(folder: Path) -> list[Path]:
    return sorted((folder / SHARDS).glob(f"*/c*/*{TABLE}"))


@contextmanager
def nothing_changed(folder: Path) -> Iterator[None]:
    """Check that all files stay, but for worthless ones of the fetch."""
    before = files_of(folder)
    yield
    after = {name: data for name, data in files_of(folder).items() if not name.startswith("cut/")}
    assert after == before


def test_empty_folder_gets_the_users_of_the_cut(state: Path, bucket: Bucket, tmp_path: Path) -> None:
    cut = make_cut(bucket, state)
    fetch_whole(bucket, cut, tmp_path / "new")
    assert users_of(tmp_path / "new") == users_of(state)
    for name in ROOT_FILES:
        assert (state / name).exists() == (tmp_path / "new" / name).exists()
        if (state / name).exists():
            assert (state / name).read_bytes() == (tmp_path / "new" / name).read_bytes()
    assert not (tmp_path / "new" / FETCHING).exists()


def test_checkpoints_are_complete_after_their_shards_are_fetched(state: Path, bucket: Bucket, tmp_path: Path) -> None:
    """Until then they lack their tables."""
    folder = tmp_path / "new"
    fetch(bucket, make_cut(bucket, state), folder)
    assert tables_of(folder) == []
    complete = ShardFetch(bucket, folder)
    for token in read_tokens(folder / RECOVERY).values():
        with pytest.raises(StateError, match=r"\.sst is missing"):
            ShardFolder(folder / SHARDS, token.shard).verify(token)
        complete(token)
        ShardFolder(folder / SHARDS, token.shard).verify(token)


def test_tables_that_the_folder_has_are_not_fetched(state: Path, bucket: Bucket) -> None:
    """The store lacks them, and the fetch does not notice."""
    make_cut(bucket, state)
    teach(state, [ADA], LATER_MS)
    cut = make_cut(bucket, state, number=2)
    expected = users_of(state)
    token = next(token for token in read_tokens(state / RECOVERY).values() if token.number > 1)
    folder = ShardFolder(state / SHARDS, token.shard)
    shutil.rmtree(folder.path / token.name)
    old, new = sorted(file.key for file in cut.shards[str(token.shard)].tables.values())
    bucket.store.delete([file.key for file in cut.files[1:] if file.key != new])
    fetch_whole(bucket, cut, state)
    assert users_of(state) == expected
    assert old < new


def test_table_of_the_folder_with_other_bytes_is_fetched(state: Path, bucket: Bucket, tmp_path: Path) -> None:
    cut, expected = make_cut(bucket, state), users_of(state)
    teach(state, [ADA], LATER_MS)
    cut = make_cut(bucket, state, number=2)
    expected = users_of(state)
    token = next(token for token in read_tokens(state / RECOVERY).values() if token.number > 1)
    folder = ShardFolder(state / SHARDS, token.shard)
    shutil.rmtree(folder.path / token.name)
    for table in (folder.path / folder.names()[0]).glob(f"*{TABLE}"):
        data = table.read_bytes()
        table.unlink()  # the inode may be another folder's, too
        table.write_bytes(data[:-1] + bytes([data[-1] ^ 1]))
    fetch_whole(bucket, cut, state)
    assert users_of(state) == expected


def test_folder_goes_back_to_an_earlier_cut(state: Path, bucket: Bucket) -> None:
    """As a savepoint does; the later checkpoint is worthless then."""
    expected = users_of(state)
    cut = make_cut(bucket, state)
    teach(state, [ADA], LATER_MS)
    assert users_of(state) != expected
    fetch_whole(bucket, cut, state)
    assert users_of(state) == expected


def test_shard_that_the_cut_lacks_begins_empty(state: Path, bucket: Bucket) -> None:
    """Its first user came after the cut; with its checkpoints there, a run would refuse to make it."""
    cut = make_cut(bucket, state)
    later = next(shard for shard in range(16) if str(shard) not in cut.shards)
    known = ShardFolder(state / SHARDS, int(next(iter(cut.shards)))).path
    shutil.copytree(known, state / SHARDS / f"{later:03d}")
    fetch_whole(bucket, cut, state)
    with open_stores(state / SHARDS, shards=16, catalogue=NumberedCatalogue.load()) as stores:
        assert len(stores.create(later.to_bytes(2, "little") + bytes(14))) == 0


def test_interrupted_fetch_is_repeated(state: Path, bucket: Bucket, tmp_path: Path) -> None:
    """A kill leaves the mark, parts of archives and of tables."""
    cut, folder = make_cut(bucket, state), tmp_path / "new"
    fetch(bucket, cut, folder)
    (folder / FETCHING).touch()
    (folder / "cut").mkdir()
    (folder / "cut" / "files.tar.zst").write_bytes(b"part")
    next((folder / SHARDS).glob("*")).joinpath("fetch-000009.sst").write_bytes(b"part")
    shutil.rmtree(folder / RECOVERY)
    fetch_whole(bucket, cut, folder)
    assert users_of(folder) == users_of(state)
    assert not list(folder.rglob("fetch-*"))
    assert not (folder / "cut").exists()


def test_each_host_gets_its_databases_of_the_recovery_store(state: Path, bucket: Bucket, tmp_path: Path) -> None:
    cut = make_cut(bucket, state)
    found = []
    for host in range(3):
        fetch(bucket, cut, tmp_path / str(host), (host, 3))
        found.append({path.name for path in (tmp_path / str(host) / RECOVERY).iterdir()})
    assert found == [{"part-0.sqlite3", "part-3.sqlite3"}, {"part-1.sqlite3"}, {"part-2.sqlite3"}]


def test_folder_in_use_is_an_error(state: Path, bucket: Bucket) -> None:
    cut = make_cut(bucket, state)
    with (
        exclusive(state),
        nothing_changed(state),
        pytest.raises(StateError, match=r"another run uses the state folder .*: stop it first, or give another"),
    ):
        fetch(bucket, cut, state)


def test_folder_of_another_state_is_an_error_and_stays(state: Path, bucket: Bucket) -> None:
    cut = make_cut(bucket, state)
    write_folder_id(state, "another")
    with nothing_changed(state), pytest.raises(StateError, match=r"did not come from file://.*: name an empty folder"):
        fetch(bucket, cut, state)


def test_folder_of_a_host_fits_no_longer_with_the_others(state: Path, bucket: Bucket, tmp_path: Path) -> None:
    """One host may begin from the cut, and several ones after it."""
    Line("first", 3, 1, 0).write(tmp_path / "host")
    fetch(bucket, make_cut(bucket, state), tmp_path / "host")
    assert read_line(tmp_path / "host", 3, 1, 0) == ""


# Damage


def _missing(bucket: Bucket, file: StoredFile) -> str:
    bucket.store.delete([file.key])
    return "is missing"


def _changed(bucket: Bucket, file: StoredFile) -> str:
    found = bucket.store.get(file.key)
    assert found is not None
    bucket.store.put(file.key, found.data[:-1] + bytes([found.data[-1] ^ 1]))
    return "has the checksum "


def _truncated(bucket: Bucket, file: StoredFile) -> str:
    found = bucket.store.get(file.key)
    assert found is not None
    bucket.store.put(file.key, found.data[:-1])
    return f"has {file.size - 1:,} bytes, not {file.size:,}"


DAMAGES = [_missing, _changed, _truncated]


@pytest.mark.parametrize("spoil", DAMAGES)
def test_damaged_archive_is_an_error_and_changes_nothing(
    spoil: Callable[[Bucket, StoredFile], str], state: Path, bucket: Bucket
) -> None:
    """The folder is usable as before."""
    cut = make_cut(bucket, state)
    expected = spoil(bucket, cut.archives[0])
    with nothing_changed(state), pytest.raises(ObjectDamagedError) as caught:
        fetch(bucket, cut, state)
    assert f"{cut.archives[0].key} {expected}" in str(caught.value)
    assert str(caught.value).endswith("; restore the object, or use an older cut")


@pytest.mark.parametrize("spoil", DAMAGES)
def test_damaged_table_is_an_error_and_no_checkpoint_has_it(
    spoil: Callable[[Bucket, StoredFile], str], state: Path, bucket: Bucket, tmp_path: Path
) -> None:
    cut, folder = make_cut(bucket, state), tmp_path / "new"
    fetch(bucket, cut, folder)
    token = next(iter(read_tokens(folder / RECOVERY).values()))
    (table,) = cut.shards[str(token.shard)].tables.values()
    expected = spoil(bucket, table)
    with pytest.raises(ObjectDamagedError) as caught:
        ShardFetch(bucket, folder)(token)
    assert f"{table.key} {expected}" in str(caught.value)
    assert not list((folder / SHARDS / f"{token.shard:03d}").rglob(f"*{TABLE}"))


def repacked(bucket: Bucket, cut: Cut, folder: Path, change: Callable[[Path], None]) -> Cut:
    """Return a cut with an archive of changed files."""
    bucket.store.fetch(cut.archives[0].key, folder / "archive", cut.archives[0].size, cut.archives[0].checksum)
    unpack(folder / "archive", folder / "files")
    change(folder / "files")
    pack(folder / "files", folder / "archive")
    size, checksum = manifest_file(folder / "archive")
    bucket.store.put("archives/other", folder / "archive")
    return replace(cut, archives=[StoredFile("archives/other", size, checksum)])


def _without_recovery(files: Path) -> None:
    shutil.rmtree(files / RECOVERY)


def _without_a_checkpoint(files: Path) -> None:
    shutil.rmtree(next((files / SHARDS).glob("*/c*")))


def _without_a_manifest(files: Path) -> None:
    next((files / SHARDS).glob(f"*/c*/{MANIFEST_FILE}")).unlink()


def _with_another_manifest(files: Path) -> None:
    manifest = next((files / SHARDS).glob(f"*/c*/{MANIFEST_FILE}"))
    manifest.write_bytes(manifest.read_bytes().replace(b'"users":', b'"users": '))


def _without(name: str) -> Callable[[Path], None]:
    return lambda files: (files / name).unlink()


CHANGES = [
    (_without_recovery, "the archives of cut 1-1 lack recovery: use an older cut, or a savepoint"),
    (_without("tacit.json"), "the archives of cut 1-1 lack tacit.json: use an older cut, or a savepoint"),
    (_without("vocabulary.json"), "the archives of cut 1-1 lack vocabulary.json: use an older cut, or a savepoint"),
    (_without_a_checkpoint, "the archives of cut 1-1 lack the checkpoint of shard [0-9]+: use an older cut, or a sav"),
    (_without_a_manifest, "the archives of cut 1-1 lack the checkpoint of shard [0-9]+: use an older cut, or a savep"),
    (_with_another_manifest, f"shard [0-9]+: .* is damaged: {MANIFEST_FILE} is not the one that was committed"),
]


@pytest.mark.parametrize(("change", "expected"), CHANGES)
def test_archive_without_a_file_is_an_error_and_changes_nothing(
    change: Callable[[Path], None], expected: str, state: Path, bucket: Bucket, tmp_path: Path
) -> None:
    cut = repacked(bucket, make_cut(bucket, state), tmp_path, change)
    with nothing_changed(state), pytest.raises(StateError, match=expected):
        fetch(bucket, cut, state)


def test_damaged_memory_of_the_cut_is_an_error(state: Path, bucket: Bucket, tmp_path: Path) -> None:
    folder = tmp_path / "new"
    fetch(bucket, make_cut(bucket, state), folder)
    (folder / FETCHED).write_bytes(b"{")
    token = next(iter(read_tokens(folder / RECOVERY).values()))
    with pytest.raises(StateError, match=r"the manifest .*fetched.json is damaged: "):
        ShardFetch(bucket, folder)(token)
