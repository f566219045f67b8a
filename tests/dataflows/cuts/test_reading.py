"""Reading of a cut: small files first, tables of the requested shards only, and nothing stays on disk."""

from pathlib import Path

import pytest

from dataflows.cuts.bucket import Bucket
from dataflows.cuts.reading import fetched
from dataflows.rotation.tokens import read_tokens
from dataflows.state_folder import RECOVERY, SHARDS
from state.errors import ObjectDamagedError, StateError
from state.storage.manifest import TABLE
from tacit.contract.pseudonyms import pseudonym
from tests.support.commands import SECRET
from tests.support.cuts import make_cut, objects, teach, users_of
from tests.support.histories import START_MS

ADA = pseudonym("u:ada", SECRET.encode())


def shards_with_tables(folder: Path) -> set[int]:
    return {int(path.parent.parent.name) for path in (folder / SHARDS).glob(f"*/c*/*{TABLE}")}


def test_tables_come_on_request(state: Path, bucket: Bucket) -> None:
    make_cut(bucket, state)
    first, *others = read_tokens(state / RECOVERY)
    with fetched(bucket, None) as found:
        assert shards_with_tables(found.folder) == set()
        found.complete([first, 99])
        assert shards_with_tables(found.folder) == {first}
        found.complete()
        assert shards_with_tables(found.folder) == {first, *others}
        assert users_of(found.folder) == users_of(state)
        folder = found.folder
    assert not folder.parent.exists()


def test_savepoint_is_read_in_place_of_the_newest_cut(state: Path, bucket: Bucket) -> None:
    make_cut(bucket, state)
    bucket.save("before")
    before = users_of(state)
    teach(state, [ADA], START_MS + 3_600_000)
    make_cut(bucket, state, number=2)
    for name, expected in (("before", before), (None, users_of(state))):
        with fetched(bucket, name) as found:
            found.complete()
            assert users_of(found.folder) == expected


def test_read_changes_no_object(state: Path, bucket: Bucket) -> None:
    make_cut(bucket, state)
    before = objects(bucket.store)
    with fetched(bucket, None) as found:
        found.complete()
    assert objects(bucket.store) == before


def test_url_without_a_cut_is_an_error(bucket: Bucket) -> None:
    with (
        pytest.raises(StateError, match=r"has no cut yet: start tacit run with --checkpoints first"),
        fetched(bucket, None),
    ):
        pass


def test_damaged_table_is_an_error(state: Path, bucket: Bucket) -> None:
    cut = make_cut(bucket, state)
    shard, found = next(iter(cut.shards.items()))
    bucket.store.delete(file.key for file in found.tables.values())
    with fetched(bucket, None) as read, pytest.raises(ObjectDamagedError, match=r"\.sst is missing; restore the obj"):
        read.complete([int(shard)])


def test_error_about_the_folder_names_the_cut(state: Path, bucket: Bucket) -> None:
    """A temporary path helps none of its readers."""
    make_cut(bucket, state)
    with pytest.raises(StateError, match=r"^shard \d+: .* in file://.*/bucket \(cut 1-1\)/shards/\d+ is damaged: "):
        read_damaged(bucket)


def read_damaged(bucket: Bucket) -> None:
    with fetched(bucket, None) as read:
        read.complete()
        for path in (read.folder / SHARDS).glob("*/c*/CURRENT"):
            path.write_bytes(b"other")
        read.complete()
