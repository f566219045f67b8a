"""Another number of shards: the same users, positions and wipes, one new cut, and no change of the earlier ones."""

import resource
from collections.abc import Callable
from pathlib import Path
from threading import Event
from typing import Any

import msgspec
import pytest

from dataflows.cuts import reshard as module
from dataflows.cuts.bucket import LEASE, Bucket
from dataflows.cuts.cut import Cut
from dataflows.cuts.fence import Fence, Record
from dataflows.cuts.reading import fetched, fetched_cut
from dataflows.cuts.reshard import Resharded, reshard
from dataflows.cuts.savepoint_wipes import SavepointWipes, outdated_shards
from dataflows.cuts.upload import Uploaded, Uploader
from dataflows.holder import Holder
from dataflows.recovery_store import source_positions
from dataflows.rotation.tokens import read_tokens
from dataflows.settings import Settings
from dataflows.state_folder import RECOVERY, SHARDS, read_folder_id, read_identity, read_vocabulary
from state.catalogue.numbered import NumberedCatalogue
from state.errors import OwnershipError, StateError, StorageError
from state.storage.rewriting import Rewriting, committed_users
from state.storage.shards import overlapping, shard_of
from tacit.contract.pseudonyms import pseudonym
from tacit.errors import ConfigurationError
from tests.support.commands import SECRET
from tests.support.conditions import eventually
from tests.support.cuts import UNLIMITED, make_cut, objects, teach, users_of, wipe
from tests.support.histories import START_MS
from tests.support.shard_stores import open_stores

ADA = pseudonym("u:ada", SECRET.encode())
LATER_MS = START_MS + 3_600_000
CATALOGUE = NumberedCatalogue.load()
SETTINGS = Settings(embedded=True, secret=SECRET)


def resharded(bucket: Bucket, shards: int) -> Resharded:
    return reshard(bucket, SETTINGS, shards)


def users_in(bucket: Bucket, cut: Cut) -> dict[bytes, bytes]:
    with fetched_cut(bucket, cut) as found:
        found.complete()
        tokens = {int(shard): each.checkpoint for shard, each in found.cut.shards.items()}
        users = list(committed_users(found.folder / SHARDS, tokens))
    assert len(users) == len(dict(users))
    return dict(users)


@pytest.mark.parametrize("shards", [1, 4, 6, 48])
def test_users_positions_and_names_are_those_of_the_earlier_cut(shards: int, state: Path, bucket: Bucket) -> None:
    """Fewer shards, more, and a number that shares few divisors; each user is in the shard of the new number."""
    earlier = make_cut(bucket, state)
    done = resharded(bucket, shards)
    newest = bucket.newest()
    assert newest is not None
    assert (done.earlier, done.cut, done.users) == (earlier, newest, len(users_of(state)))
    assert users_in(bucket, newest) == dict(users_of(state))
    assert (newest.position > earlier.position, newest.state, newest.made_ms) == (True, earlier.state, earlier.made_ms)
    assert list(newest.shards) == [str(shard) for shard in range(shards)]
    with fetched(bucket, None) as found:
        found.complete()
        tokens = read_tokens(found.folder / RECOVERY)
        assert tokens == {int(shard): each.checkpoint for shard, each in newest.shards.items()}
        assert source_positions(found.folder / RECOVERY) == source_positions(state / RECOVERY) != {}
        assert read_identity(found.folder).shards == newest.identity.shards == shards
        assert read_vocabulary(found.folder) == read_vocabulary(state)
        assert read_folder_id(found.folder) == read_folder_id(state)
        with open_stores(found.folder / SHARDS, shards=shards, catalogue=CATALOGUE) as stores:
            for shard, token in tokens.items():
                users = {user for user, _ in stores.resume(token.pack())}
                assert users == {user for user in users_of(state) if shard_of(user, shards) == shard}


def test_earlier_cut_and_savepoints_keep_their_bytes(state: Path, bucket: Bucket) -> None:
    earlier = make_cut(bucket, state)
    bucket.save("before")
    before = {key: bucket.store.get(key) for key in objects(bucket.store)}
    resharded(bucket, 4)
    assert {key: bucket.store.get(key) for key in before} == before
    assert users_in(bucket, earlier) == users_in(bucket, bucket.savepoint("before")) == dict(users_of(state))


def test_there_and_back_gives_the_same_users(state: Path, bucket: Bucket) -> None:
    make_cut(bucket, state)
    for shards in (5, 6, 16):
        resharded(bucket, shards)
    newest = bucket.newest()
    assert newest is not None
    assert (newest.identity.shards, newest.number) == (16, 4)
    assert users_in(bucket, newest) == dict(users_of(state))


def test_trial_changes_no_object_and_needs_no_lease(state: Path, bucket: Bucket) -> None:
    make_cut(bucket, state)
    before = objects(bucket.store)
    done = reshard(bucket, SETTINGS, 4, is_trial=True)
    assert (done.cut, done.users) == (None, len(users_of(state)))
    assert objects(bucket.store) == before


def lose_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    write = Rewriting.write
    monkeypatch.setattr(
        Rewriting, "write", lambda self, user, packed: None if user == ADA else write(self, user, packed)
    )


def change_a_byte(monkeypatch: pytest.MonkeyPatch) -> None:
    write = Rewriting.write
    monkeypatch.setattr(
        Rewriting,
        "write",
        lambda self, user, packed: write(self, user, packed[:-1] + b"\xff" if user == ADA else packed),
    )


def add_a_user(monkeypatch: pytest.MonkeyPatch) -> None:
    finish = Rewriting.finish

    def finished(self: Rewriting) -> dict[int, bytes]:
        self.write(bytes(16), b"\x06")
        return finish(self)

    monkeypatch.setattr(Rewriting, "finish", finished)


def lose_a_position(monkeypatch: pytest.MonkeyPatch) -> None:
    positions = source_positions
    monkeypatch.setattr(module, "source_positions", lambda store: positions(store) if "work" in store.name else {})


@pytest.mark.parametrize("fault", [lose_a_user, change_a_byte, add_a_user, lose_a_position])
def test_difference_is_an_error_and_no_cut_is_made(
    fault: Callable[[pytest.MonkeyPatch], None], state: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    earlier = make_cut(bucket, state)
    before = objects(bucket.store)
    fault(monkeypatch)
    with pytest.raises(StateError, match="the cut stays as it is"):
        resharded(bucket, 4)
    assert bucket.newest() == earlier
    assert {key: size for key, size in objects(bucket.store).items() if key != LEASE} == before


def test_full_disk_is_one_error_and_no_cut_is_made(state: Path, bucket: Bucket) -> None:
    """By a limit on the size of files, as the next write after the small ones is that of a table."""
    earlier = make_cut(bucket, state)
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
    try:
        with pytest.raises(StorageError, match="free space or repair the disk"):
            reshard(bucket, SETTINGS, 4, is_trial=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert bucket.newest() == earlier


def test_lost_lease_is_an_error_and_no_cut_is_made(
    state: Path, bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another cluster took the lease while the command was paused, after its uploads."""
    earlier = make_cut(bucket, state)
    fences: list[Fence] = []

    def take(self: Fence, stop: Event) -> bool:
        fences.append(self)
        return take_lease(self, stop)

    def upload(self: Uploader, *given: Any) -> Uploaded:
        sent = upload_files(self, *given)
        bucket.store.put(LEASE, msgspec.json.encode(Record(9, Holder("other", "elsewhere", 1, 1, 0))))
        eventually(lambda: fences[0].lease.is_lost, within_s=10, what="the loss of the lease")
        return sent

    take_lease, upload_files = Fence.take, Uploader.upload
    monkeypatch.setattr(Fence, "take", take)
    monkeypatch.setattr(Uploader, "upload", upload)
    with pytest.raises(OwnershipError, match="was lost: nothing was changed"):
        resharded(bucket, 4)
    assert bucket.newest() == earlier


def test_wrong_requests_are_refused(state: Path, bucket: Bucket) -> None:
    with pytest.raises(StateError, match="has no cut yet"):
        resharded(bucket, 4)
    make_cut(bucket, state)
    with pytest.raises(ConfigurationError, match="has 16 shards already"):
        resharded(bucket, 16)
    with pytest.raises(StateError, match="was made with another secret"):
        reshard(bucket, Settings(embedded=True, secret="f" * 32), 4)


@pytest.mark.parametrize("shards", [4, 32])
def test_savepoint_follows_wipes_after_the_number_has_changed(
    shards: int, state: Path, bucket: Bucket, tmp_path: Path
) -> None:
    """A wipe before the change, one after it, and no further rewriting; other users stay as they were."""
    wipes = SavepointWipes(bucket, CATALOGUE, tmp_path / "work", 60, UNLIMITED, lambda: True)
    make_cut(bucket, state)
    saved = bucket.save("before")
    expected = dict(users_of(state))
    wipe(state, ADA, LATER_MS)
    make_cut(bucket, state, number=2)
    done = resharded(bucket, shards)
    assert done.cut is not None
    wipes.follow(done.cut)
    found = users_in(bucket, bucket.savepoint("before"))
    assert {user for user in expected if found[user] != expected[user]} == {ADA}
    assert bucket.savepoint("before").identity == saved.identity
    assert outdated_shards("before", bucket.savepoint("before"), done.cut) == []
    with fetched(bucket, None) as newest:
        newest.complete()
        other = next(user for user in expected if user != ADA)
        teach(newest.folder, [other], LATER_MS)
        wipe(newest.folder, other, LATER_MS + 1)
        again = make_cut(bucket, newest.folder, number=9, fence=9)
    rewritten = outdated_shards("before", bucket.savepoint("before"), again)
    may_have = set(overlapping(shard_of(other, shards), shards, 16))
    assert rewritten == [shard for shard in sorted(map(int, saved.shards)) if shard in may_have]
    wipes.follow(again)
    found = users_in(bucket, bucket.savepoint("before"))
    assert {user for user in expected if found[user] != expected[user]} == {ADA, other}


def test_changes_there_and_back_rewrite_a_savepoint_once_each(state: Path, bucket: Bucket, tmp_path: Path) -> None:
    """Counts of erasures only grow, so no wipe between two changes is missed."""
    wipes = SavepointWipes(bucket, CATALOGUE, tmp_path / "work", 60, UNLIMITED, lambda: True)
    saved = make_cut(bucket, state)
    bucket.save("before")
    for shards in (4, 16, 2):
        done = resharded(bucket, shards)
        assert done.cut is not None
        assert outdated_shards("before", bucket.savepoint("before"), done.cut) == sorted(map(int, saved.shards))
        wipes.follow(done.cut)
        assert outdated_shards("before", bucket.savepoint("before"), done.cut) == []
