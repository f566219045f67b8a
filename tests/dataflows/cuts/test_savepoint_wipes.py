"""Wipes in savepoints: no object has a wiped user's bytes after retention, and the savepoint still works."""

from pathlib import Path
from time import monotonic

import pytest
from msgspec.structs import replace

from connectors.traces.files import find_traces
from connectors.traces.needles import Needles, pseudonym_needles
from dataflows.cuts.bucket import Bucket
from dataflows.cuts.cut import Cut
from dataflows.cuts.reading import fetched
from dataflows.cuts.retention import Retention
from dataflows.cuts.savepoint_wipes import SavepointWipes, outdated_shards
from dataflows.cuts.send_rate import SendRate
from dataflows.inspection import inspect
from dataflows.rotation.tokens import read_tokens
from dataflows.state_folder import RECOVERY, SHARDS
from state.catalogue.numbered import NumberedCatalogue
from state.storage.shards import shard_of
from tacit.contract.pseudonyms import pseudonym
from tests.support.commands import SECRET
from tests.support.cuts import UNLIMITED, make_cut, objects, plain_cut, teach, users_of, wipe
from tests.support.histories import START_MS
from tests.support.shard_stores import open_stores

ADA, PINNED, FORGOTTEN = (pseudonym(user, SECRET.encode()) for user in ("u:ada", "u:pins-only", "u:forgotten"))
LATER_MS = START_MS + 3_600_000
CATALOGUE = NumberedCatalogue.load()


@pytest.fixture
def wipes(bucket: Bucket, tmp_path: Path) -> SavepointWipes:
    return SavepointWipes(bucket, CATALOGUE, tmp_path / "work", 60, UNLIMITED, lambda: True)


def kinds(bucket: Bucket, needles: Needles, folder: Path) -> set[str]:
    """Return the kinds of traces in all objects, archives decompressed."""
    folder.mkdir()
    for number, key in enumerate(objects(bucket.store)):
        found = bucket.store.get(key)
        assert found is not None
        (folder / f"{number}-{key.rpartition('/')[2]}").write_bytes(found.data)
    return {trace.kind for trace in find_traces(folder, needles)}


def users_in(bucket: Bucket, name: str) -> dict[bytes, bytes]:
    with fetched(bucket, name) as found:
        found.complete()
        return dict(users_of(found.folder))


def saved(bucket: Bucket, state: Path) -> Cut:
    make_cut(bucket, state)
    return bucket.save("before")


def test_wiped_user_leaves_all_objects_with_the_retention_of_cuts(
    state: Path, bucket: Bucket, wipes: SavepointWipes, tmp_path: Path
) -> None:
    """By the user's packed state, and by the kinds of the entries of tables."""
    saved(bucket, state)
    teach(state, [ADA], START_MS + 1_800_000)
    make_cut(bucket, state, number=2)
    needles = pseudonym_needles(ADA).including(users_of(state)[ADA], users_in(bucket, "before")[ADA])
    assert {"learned", "bytes"} <= kinds(bucket, needles, tmp_path / "first")
    wipe(state, ADA, LATER_MS)
    wipes.follow(make_cut(bucket, state, number=3))
    Retention(bucket, 1, 1, lambda: True).apply()
    assert kinds(bucket, needles, tmp_path / "last") <= {"tombstone", "pseudonym"}
    assert bucket.savepoint("before").rewritten_ms > 0


def test_other_users_of_the_savepoint_stay_as_they_were(state: Path, bucket: Bucket, wipes: SavepointWipes) -> None:
    """Also those with later feedback in the newest cut, and those of the same shard."""
    before = saved(bucket, state)
    expected = dict(users_of(state))
    teach(state, [FORGOTTEN], START_MS + 1_800_000)
    wipe(state, ADA, LATER_MS)
    newest = make_cut(bucket, state, number=2)
    wipes.follow(newest)
    found = users_in(bucket, "before")
    assert found.keys() == expected.keys()
    assert {user for user in expected if found[user] != expected[user]} == {ADA}
    after = bucket.savepoint("before")
    kept = [shard for shard in before.shards if shard != str(shard_of(ADA, 16))]
    assert {shard: after.shards[shard] for shard in kept} == {shard: before.shards[shard] for shard in kept}
    assert (after.text, after.made_ms, after.begun_from) == (before.text, before.made_ms, before.begun_from)


def test_wiped_user_of_the_savepoint_has_the_wipe_and_nothing_learned(
    state: Path, bucket: Bucket, wipes: SavepointWipes
) -> None:
    """Feedback after the wipe is in the topic, which a run from the savepoint reads again."""
    saved(bucket, state)
    wipe(state, ADA, LATER_MS)
    teach(state, [ADA], LATER_MS + 60_000)
    wipes.follow(make_cut(bucket, state, number=2))
    with fetched(bucket, "before") as found:
        found.complete()
        state_of_ada, _ = inspect(found.folder, CATALOGUE).checkpoints.get(ADA)
    assert state_of_ada is not None
    assert (state_of_ada.consent.wiped_ms, state_of_ada.newest_ms, state_of_ada.seq) == (LATER_MS, LATER_MS, 0)


def test_rewritten_savepoint_opens_in_a_run(state: Path, bucket: Bucket, wipes: SavepointWipes) -> None:
    """Each shard resumes from the token of the recovery store."""
    saved(bucket, state)
    wipe(state, ADA, LATER_MS)
    wipes.follow(make_cut(bucket, state, number=2))
    with fetched(bucket, "before") as found:
        found.complete()
        tokens = read_tokens(found.folder / RECOVERY)
        assert tokens == {int(shard): each.checkpoint for shard, each in found.cut.shards.items()}
        with open_stores(found.folder / SHARDS, shards=16, catalogue=CATALOGUE) as stores:
            counts = [len(stores.resume(token.pack())) for token in tokens.values()]
    assert sum(counts) == len(users_of(state))


def test_rewriting_stays_below_the_rate_of_uploads(state: Path, bucket: Bucket, tmp_path: Path) -> None:
    """Its archive waits for the time of its tables."""
    pauses: list[float] = []
    before = saved(bucket, state)
    wipe(state, ADA, LATER_MS)
    newest, began_s = make_cut(bucket, state, number=2), monotonic()
    SavepointWipes(bucket, CATALOGUE, tmp_path / "work", 60, SendRate(0.001, pauses.append), lambda: True).follow(
        newest
    )
    known = {file.key for file in before.files}
    _, *tables = (file.size for file in bucket.savepoint("before").files if file.key not in known)
    assert max(pauses) == pytest.approx(sum(tables) / 1048.576, abs=monotonic() - began_s)


def test_savepoint_is_rewritten_once_per_erasure(state: Path, bucket: Bucket, wipes: SavepointWipes) -> None:
    saved(bucket, state)
    unchanged = bucket.savepoint("before")
    wipes.follow(make_cut(bucket, state, number=2))
    assert bucket.savepoint("before") == unchanged
    wipe(state, ADA, LATER_MS)
    wipes.follow(make_cut(bucket, state, number=3))
    first = bucket.savepoint("before")
    wipes.follow(make_cut(bucket, state, number=4))
    assert bucket.savepoint("before") == first != unchanged
    wipe(state, PINNED, LATER_MS)
    wipes.follow(make_cut(bucket, state, number=5))
    assert bucket.savepoint("before") != first


def test_wipe_before_the_savepoint_leaves_its_tables_too(
    state: Path, bucket: Bucket, wipes: SavepointWipes, tmp_path: Path
) -> None:
    """The savepoint was made between the wipe and the end of its erasure."""
    packed = users_of(state)[ADA]
    wipe(state, ADA, LATER_MS)
    newest = make_cut(bucket, state)
    older = {shard: replace(found, erasures=found.erasures + 1) for shard, found in newest.shards.items()}
    bucket.store.put("savepoints/before.json", replace(newest, shards=older).encode())
    wipes.follow(newest)
    assert bucket.savepoint("before").rewritten_ms > 0
    assert "bytes" not in kinds(bucket, pseudonym_needles(ADA).including(packed), tmp_path / "found")


def test_savepoint_that_cannot_be_rewritten_is_dropped_with_a_note(
    state: Path, bucket: Bucket, wipes: SavepointWipes
) -> None:
    cut = saved(bucket, state)
    wipe(state, ADA, LATER_MS)
    newest = make_cut(bucket, state, number=2, execution="run2")
    table = next(iter(cut.shards[str(shard_of(ADA, 16))].tables.values()))
    bucket.store.delete([table.key])
    wipes.follow(newest)
    assert bucket.savepoints() == {}
    assert bucket.listed().dropped["before"].reason.startswith(f"{bucket.url}/{table.key} is missing")
    assert bucket.save("before") == newest
    assert bucket.listed().dropped == {}


def test_damaged_manifest_of_a_savepoint_is_dropped_in_time_and_holds_nothing_back(
    state: Path, bucket: Bucket, wipes: SavepointWipes, tmp_path: Path
) -> None:
    """It may have the state of users from before their forget, and meanwhile no file of the bucket can be deleted."""
    saved(bucket, state)
    bucket.store.put("savepoints/damaged.json", b'{"number": 1')
    wipe(state, ADA, LATER_MS)
    newest = make_cut(bucket, state, number=2)
    wipes.follow(newest)
    assert bucket.saved().readable["before"].cut.followed == newest.line
    assert list(bucket.saved().unreadable) == ["damaged"]
    impatient = SavepointWipes(bucket, CATALOGUE, tmp_path / "work", 0, UNLIMITED, lambda: True)
    impatient.follow(newest)
    assert list(bucket.savepoints()) == ["before"]
    assert "savepoints/damaged.json is damaged" in bucket.listed().dropped["damaged"].reason


def test_damaged_newest_cut_drops_no_savepoint_at_once(state: Path, bucket: Bucket, wipes: SavepointWipes) -> None:
    """The savepoint may be the only good copy."""
    old = saved(bucket, state)
    wipe(state, ADA, LATER_MS)
    newest = make_cut(bucket, state, number=2, execution="run2")
    bucket.store.delete({file.key for file in newest.files} - {file.key for file in old.files})
    wipes.follow(newest)
    assert list(bucket.savepoints()) == ["before"]


def test_savepoint_of_another_secret_is_dropped(state: Path, bucket: Bucket, wipes: SavepointWipes) -> None:
    """Its users cannot be found."""
    cut = saved(bucket, state)
    other = replace(cut, identity=replace(cut.identity, secret="another"))
    wipes.follow(other)
    assert bucket.savepoints() == {}
    assert bucket.listed().dropped["before"].reason.startswith("it was made for secret ")


def test_run_without_its_lease_changes_nothing(state: Path, bucket: Bucket, tmp_path: Path) -> None:
    saved(bucket, state)
    wipe(state, ADA, LATER_MS)
    newest = make_cut(bucket, state, number=2)
    before = objects(bucket.store)
    SavepointWipes(bucket, CATALOGUE, tmp_path / "work", 60, UNLIMITED, lambda: False).follow(newest)
    assert objects(bucket.store) == before


LINES = [
    ("", None, "", True),
    ("", None, "S@1-1", True),
    ("", None, "other@1-1", False),
    ("", "state/other@1-1", "other@1-1", True),
    ("other@1-1", None, "", False),
    ("", "state/other@1-1", "S@1-1", False),
    ("", "earlier state/", "", False),
]
"""`begun_from` and `followed` of a savepoint S at 1-1, `begun_from` of the newest cut, and the result."""


@pytest.mark.parametrize(("begun_from", "followed", "newest", "compares"), LINES)
def test_counts_compare_within_a_line_of_cuts(
    begun_from: str, followed: str | None, newest: str, compares: bool
) -> None:
    """A line that began elsewhere counts other erasures: all shards are rewritten then."""
    cut = replace(plain_cut(1), begun_from=begun_from, followed=followed)
    later = replace(plain_cut(9), begun_from=newest)
    assert outdated_shards("S", cut, later) == ([] if compares else [0])
    assert outdated_shards("S", cut, replace(later, state="later state")) == [0]
    ended = {"0": replace(later.shards["0"], erasures=1)}
    assert outdated_shards("S", cut, replace(later, shards=ended)) == [0]
