"""Cuts and savepoints in a store: the newest one, names, and a name for a cut that a run drops meanwhile."""

import secrets
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dataflows.cuts.bucket import (
    Bucket,
    Dropped,
    Savepoints,
    archive_key,
    cut_key,
    open_bucket,
    savepoint_key,
    table_key,
)
from dataflows.cuts.retention import Retention
from dataflows.settings import Settings
from state.errors import StateError
from tacit.errors import ConfigurationError
from tests.support.cuts import folder_bucket, objects, plain_cut
from tests.support.object_server import BUCKET, opened, s3, s3_server
from tests.support.turns import Actor, TurnStore

__all__ = ["s3", "s3_server"]


def test_newest_cut_is_that_of_the_latest_cluster(bucket: Bucket) -> None:
    """A paused cluster of before may complete a cut with a higher number."""
    for cut in (plain_cut(8), plain_cut(3, fence=2), plain_cut(9)):
        bucket.write(cut)
    assert bucket.newest() == plain_cut(3, fence=2)
    assert [cut.text for cut in bucket.all_cuts()] == ["1-8", "1-9", "2-3"]


def test_bucket_without_a_cut_has_no_newest(bucket: Bucket) -> None:
    assert (bucket.newest(), bucket.cuts(), bucket.savepoints()) == (None, [], {})


def test_cut_of_a_used_number_is_an_error(bucket: Bucket) -> None:
    bucket.write(plain_cut(1))
    with pytest.raises(StateError, match=r"000001-0000000001.json exists already: another cluster writes there"):
        bucket.write(plain_cut(1, ["tables/000/run/1.sst"]))
    assert bucket.newest() == plain_cut(1)


def test_damaged_newest_cut_is_an_error_and_no_older_one_is_taken(bucket: Bucket) -> None:
    """A run would begin from the past, unasked."""
    bucket.write(plain_cut(1))
    bucket.store.put(cut_key(plain_cut(2)), plain_cut(2).encode()[:-10])
    before = objects(bucket.store)
    with pytest.raises(
        StateError, match=r"^the manifest file://.*/cuts/000001-0000000002.json is damaged: .*; drop it"
    ):
        bucket.newest()
    assert objects(bucket.store) == before


def test_keys_have_shard_execution_and_cut() -> None:
    assert table_key(7, "1f3a09bc", "000009.sst") == "tables/007/1f3a09bc/000009.sst"
    assert archive_key(7, 42, 2, "1f3a09bc") == "archives/000007-0000000042-2-1f3a09bc.tar.zst"


# Savepoints


def test_savepoint_is_the_newest_cut_and_stays_without_it(bucket: Bucket) -> None:
    bucket.write(plain_cut(1))
    assert bucket.save("before") == plain_cut(1)
    bucket.write(plain_cut(2))
    bucket.store.delete([cut_key(plain_cut(1))])
    assert list(bucket.savepoints()) == ["before"]
    assert bucket.savepoint("before").files == plain_cut(1).files


def test_used_name_is_an_error(bucket: Bucket) -> None:
    bucket.write(plain_cut(1))
    bucket.save("before")
    bucket.write(plain_cut(2))
    with pytest.raises(StateError, match=r"has a savepoint before already: give another name, or drop it first"):
        bucket.save("before")
    assert bucket.savepoint("before").text == "1-1"


def test_savepoint_without_a_cut_is_an_error(bucket: Bucket) -> None:
    with pytest.raises(StateError, match=r"has no cut yet: start tacit run with --checkpoints first"):
        bucket.save("before")
    assert objects(bucket.store) == {}


def test_unknown_savepoint_is_an_error_with_the_names(bucket: Bucket) -> None:
    with pytest.raises(StateError, match=r"has no savepoint after: there are none; see tacit state list"):
        bucket.savepoint("after")
    bucket.write(plain_cut(1))
    bucket.save("before")
    for call in (bucket.savepoint, bucket.drop):
        with pytest.raises(StateError, match=r"has no savepoint after: there are before; see tacit state list"):
            call("after")


def test_dropped_savepoint_can_be_named_again(bucket: Bucket) -> None:
    bucket.write(plain_cut(1))
    bucket.save("before")
    bucket.drop("before")
    bucket.write(plain_cut(2))
    assert bucket.save("before") == plain_cut(2)


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "Upper", "x" * 64, "a b", "ä", "a\n"])
def test_name_of_another_form_is_an_error(name: str, bucket: Bucket) -> None:
    bucket.write(plain_cut(1))
    calls: list[Callable[[str], object]] = [bucket.save, bucket.drop, bucket.savepoint]
    for call in calls:
        with pytest.raises(ConfigurationError, match=r"is no name of a savepoint: up to 63 of a-z, 0-9"):
            call(name)
    assert bucket.savepoints() == {}


def test_damaged_savepoint_is_an_error(bucket: Bucket) -> None:
    bucket.write(plain_cut(1))
    bucket.store.put("savepoints/before.json", b"{")
    with pytest.raises(StateError, match=r"the manifest file://.*/savepoints/before.json is damaged: "):
        bucket.savepoints()


def test_damaged_savepoint_can_be_dropped(bucket: Bucket) -> None:
    """Its manifest shows nothing that a drop needs."""
    bucket.store.put("savepoints/before.json", b"{")
    bucket.drop("before")
    assert bucket.listed() == Savepoints({}, {})


def test_savepoint_that_a_run_dropped_leaves_a_note(bucket: Bucket) -> None:
    """A drop of the name removes the note, and so does a new savepoint."""
    bucket.write(plain_cut(1))
    bucket.save("before")
    for free in (bucket.drop, bucket.save):
        assert bucket.drop_for("before", "a table is missing", 7, bucket.saved().readable["before"].etag)
        assert bucket.listed() == Savepoints({}, {"before": Dropped(7, "a table is missing")})
        free("before")
        assert bucket.listed().dropped == {}
        if not bucket.savepoints():
            bucket.save("before")


@pytest.mark.usefixtures("s3")
def test_names_change_by_conditions_on_a_real_server(tmp_path: Path) -> None:
    """Changes by another command stay."""
    bucket = Bucket(opened(f"s3://{BUCKET}/{tmp_path.name}"))
    bucket.write(plain_cut(1))
    bucket.save("before")
    found = bucket.saved().readable["before"]
    bucket.guard(2)
    assert not bucket.replace("before", plain_cut(9), found.etag)
    bucket.drop("before")
    assert not bucket.drop_for("before", "a fault", 7, found.etag)
    assert bucket.listed() == Savepoints({}, {})
    bucket.save("before")
    assert not bucket.drop_for("before", "a fault", 7, found.etag)
    assert bucket.drop_for("before", "a fault", 7, bucket.saved().readable["before"].etag)
    assert bucket.listed() == Savepoints({}, {"before": Dropped(7, "a fault")})


def test_hosts_do_not_begin_from_another_savepoint_of_the_same_name(bucket: Bucket) -> None:
    """It was dropped, and saved again, after the first host read it."""
    key = savepoint_key("before")
    bucket.write(plain_cut(1))
    bucket.save("before")
    chosen = bucket.read_chosen(key, "before@1-1")
    assert chosen == bucket.savepoint("before")
    bucket.drop("before")
    assert bucket.read_chosen(key, "before@1-1") is None
    bucket.write(plain_cut(2))
    bucket.save("before")
    assert bucket.read_chosen(key, "before@1-1") is None
    assert bucket.read_chosen(cut_key(plain_cut(2)), "earlier@1-1") == plain_cut(2)


def test_dropped_savepoint_is_not_there_for_any_reader(bucket: Bucket) -> None:
    """Neither by its name nor by its key."""
    bucket.write(plain_cut(1))
    bucket.save("before")
    bucket.drop("before")
    assert bucket.read("savepoints/before.json") is None
    for call in (bucket.savepoint, bucket.drop):
        with pytest.raises(StateError, match="has no savepoint before: there are none"):
            call("before")


def test_savepoint_is_replaced_only_if_it_is_unchanged(bucket: Bucket) -> None:
    bucket.write(plain_cut(1))
    bucket.save("before")
    found = bucket.saved().readable["before"]
    assert bucket.replace("before", plain_cut(2), found.etag)
    assert not bucket.replace("before", plain_cut(3), found.etag)
    assert bucket.savepoint("before") == plain_cut(2)


@settings(max_examples=40)
@given(st.lists(st.sampled_from("sd"), max_size=40), st.integers(1, 2))
def test_saved_cut_has_all_files_whatever_a_run_drops_meanwhile(turns: list[str], keep: int) -> None:
    """Calls of `save` and of cuts with retention, in any order: a savepoint that was given never lacks a file."""
    with TemporaryDirectory() as folder:
        store = folder_bucket(Path(folder)).store
        run = Bucket(TurnStore(store, lambda: actors["d"].wait()))
        named = Bucket(TurnStore(store, lambda: actors["s"].wait()))

        def make_cuts() -> None:
            retention = Retention(run, 1, keep, lambda: True)
            for number in range(2, 5):
                cut = plain_cut(number, [f"tables/000/run/{number}.sst"])
                for file in cut.files:
                    store.put(file.key, b"x")
                run.write(cut)
                retention.apply()

        first = plain_cut(1, ["tables/000/run/1.sst"])
        for file in first.files:
            store.put(file.key, b"x")
        Bucket(store).write(first)
        actors = {"s": Actor(lambda: named.save("before")), "d": Actor(make_cuts)}
        for actor in actors.values():
            actor.start()
        for who in turns:
            actors[who].step()
        actors["s"].end()
        actors["d"].end()
        saved = Bucket(store).savepoint("before")
        assert {file.key for file in saved.files} <= objects(store).keys()


@settings(max_examples=60)
@given(st.lists(st.sampled_from("rc"), max_size=25))
def test_savepoint_of_a_used_name_is_not_dropped_for_a_fault_of_the_earlier_one(turns: list[str]) -> None:
    """A run drops the savepoint that it read; a command drops that one, too, and saves the newest cut meanwhile."""
    with TemporaryDirectory() as folder:
        store = folder_bucket(Path(folder)).store
        run = Bucket(TurnStore(store, lambda: actors["r"].wait()))
        command = Bucket(TurnStore(store, lambda: actors["c"].wait()))
        Bucket(store).write(plain_cut(1))
        Bucket(store).save("before")
        Bucket(store).write(plain_cut(2))
        dropped: list[int] = []

        def drop_for_a_fault() -> None:
            for found in run.saved().readable.values():
                run.drop_for("before", "a fault", 7, found.etag)
                dropped.append(found.cut.number)

        def name_again() -> None:
            command.drop("before")
            command.save("before")

        actors = {"c": Actor(name_again), "r": Actor(drop_for_a_fault)}
        for actor in actors.values():
            actor.start()
        for who in turns:
            actors[who].step()
        for actor in actors.values():
            actor.end()
        found = Bucket(store).listed()
        if 2 in dropped:
            assert found == Savepoints({}, {"before": Dropped(7, "a fault")})
        else:
            assert ([cut.number for cut in found.cuts.values()], found.dropped) == ([2], {})


def test_save_that_is_too_late_leaves_the_savepoint_of_another_command(bucket: Bucket) -> None:
    """Its cut is gone; another command has dropped the name meanwhile, and saved the next cut under it."""
    bucket.write(plain_cut(1))
    turns = Actor(lambda: Bucket(TurnStore(bucket.store, lambda: turns.wait())).save("before"))
    turns.start()
    while "before" not in bucket.savepoints():
        turns.step()
    bucket.store.delete([cut_key(plain_cut(1))])
    bucket.write(plain_cut(2))
    bucket.drop("before")
    bucket.save("before")
    with pytest.raises(StateError, match="has a savepoint before already"):
        turns.end()
    assert bucket.savepoint("before").text == "1-2"


# Opening


def test_bucket_is_below_region_and_namespace(tmp_path: Path) -> None:
    """Clusters of several namespaces share a URL."""
    folder = tmp_path / secrets.token_hex(2)
    folder.mkdir()
    for namespace in ("live", "shadow"):
        shared = Settings(embedded=True, checkpoints=f"file://{folder}", region="us", namespace=namespace)
        open_bucket(shared).write(plain_cut(1))
        assert open_bucket(shared).cuts() == ["cuts/000001-0000000001.json"]
    assert sorted(str(path.relative_to(folder)) for path in folder.rglob("*.json")) == [
        "us/live/cuts/000001-0000000001.json",
        "us/shadow/cuts/000001-0000000001.json",
    ]


def test_bucket_without_a_url_is_wrong_usage() -> None:
    with pytest.raises(ConfigurationError, match=r"checkpoints: is required; name the URL of the run by --checkpoints"):
        open_bucket(Settings(embedded=True))
