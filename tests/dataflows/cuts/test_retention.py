"""Retention: a file that a manifest names stays, one that none names goes, and doubt deletes nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from dataflows.cuts.bucket import Bucket, cut_key
from dataflows.cuts.cut import Cut
from dataflows.cuts.retention import Retention, Swept
from state.errors import StateError
from tests.support.cuts import folder_bucket, objects, plain_cut

NAMES = ("before", "release")


def add(bucket: Bucket, number: int, *files: str) -> Cut:
    """Write a cut with its files."""
    cut = plain_cut(number, files)
    for file in cut.files:
        bucket.store.put(file.key, b"x")
    bucket.write(cut)
    return cut


def table(number: int) -> str:
    return f"tables/000/run/{number:06d}.sst"


def files(bucket: Bucket) -> set[str]:
    return set(bucket.files())


def test_oldest_cuts_go_with_the_files_that_only_they_have(bucket: Bucket) -> None:
    add(bucket, 1, table(1), table(2))
    retention = Retention(bucket, 1, 2, lambda: True)
    retention.apply()
    add(bucket, 2, table(2), table(3))
    add(bucket, 3, table(3), table(4))
    assert retention.apply() == Swept(1, 2)
    assert files(bucket) == {table(2), table(3), table(4), "archives/1-2", "archives/1-3"}
    assert [cut.number for cut in bucket.all_cuts()] == [2, 3]


def test_first_sweep_of_a_run_deletes_what_an_interrupted_upload_left(bucket: Bucket) -> None:
    """Other objects of the store stay, whoever wrote them."""
    add(bucket, 1, table(1))
    for key in (table(9), "archives/left", "parts/000001-0000000002/1.json", "lease.json", "readme.txt", "tables.txt"):
        bucket.store.put(key, b"x")
    Retention(bucket, 1, 1, lambda: True).apply()
    assert files(bucket) == {table(1), "archives/1-1"}
    assert objects(bucket.store).keys() > {"lease.json", "readme.txt", "tables.txt"}


OWN = (
    "tables/000/000002-1f3a09bc/000009.sst",
    "archives/000002-0000000003-0-000002-1f3a09bc.tar.zst",
    "archives/000002-0000000003-savepoint-000002-1f3a09bc.tar.zst",
    "parts/000002-0000000003-000002-1f3a09bc/1.json",
)
"""Objects of uploads of a cluster that ended before a manifest."""
OTHERS = (
    "tables/000/000003-1f3a09bc/000009.sst",
    "tables/000/1f3a09bc/000002-.sst",
    "archives/000001-0000000002-0-000001-1f3a09bc.tar.zst",
    "parts/000003-0000000002-000002-1f3a09bc/1.json",
)


def test_later_sweep_deletes_what_uploads_of_this_cluster_left_and_nothing_else(bucket: Bucket) -> None:
    """The hosts of the cluster, not others; files of cuts and savepoints stay."""
    retention = Retention(bucket, 2, 1, lambda: True, sweep_every_s=0)
    named = "tables/000/000002-1f3a09bc/000007.sst"
    add(bucket, 1, named)
    retention.apply()
    bucket.save("before")
    add(bucket, 2, table(2))
    for key in (*OWN, *OTHERS):
        bucket.store.put(key, b"x")
    assert retention.apply() == Swept(1, len(OWN))
    assert files(bucket) == {named, table(2), "archives/1-1", "archives/1-2", *OTHERS}


def test_later_sweep_waits_for_its_time(bucket: Bucket) -> None:
    """A list of all files has a price."""
    retention = Retention(bucket, 2, 1, lambda: True)
    add(bucket, 1, table(1))
    retention.apply()
    bucket.store.put(OWN[0], b"x")
    assert retention.apply() == Swept(0, 0)


def test_later_sweep_without_the_lease_deletes_nothing(bucket: Bucket) -> None:
    answers = iter([True, True, True, False])
    retention = Retention(bucket, 2, 1, lambda: next(answers), sweep_every_s=0)
    add(bucket, 1, table(1))
    bucket.store.put(OTHERS[0], b"x")
    assert retention.apply() == Swept(0, 1)
    bucket.store.put(OWN[0], b"x")
    assert retention.apply() == Swept(0, 0)
    assert OWN[0] in files(bucket)


def test_cluster_that_was_paused_cannot_change_a_savepoint_after_the_first_sweep_of_the_next(bucket: Bucket) -> None:
    """The sweep may have deleted the files that it would name."""
    add(bucket, 1, table(1))
    bucket.save("before")
    found = bucket.saved().readable["before"]
    Retention(bucket, 2, 1, lambda: True).apply()
    assert not bucket.replace("before", plain_cut(1, [table(2)]), found.etag)
    assert not bucket.drop_for("before", "a fault", 7, found.etag)
    assert bucket.savepoint("before").files == found.cut.files


def test_run_without_its_lease_deletes_nothing(bucket: Bucket) -> None:
    for number in (1, 2, 3):
        add(bucket, number, table(number))
    before = objects(bucket.store)
    assert Retention(bucket, 1, 1, lambda: False).apply() == Swept(0, 0)
    assert objects(bucket.store) == before


def test_run_that_loses_its_lease_stops_to_delete(bucket: Bucket) -> None:
    for number in (1, 2):
        add(bucket, number, table(number))
    answers = iter([True, False])
    assert Retention(bucket, 1, 1, lambda: next(answers)).apply() == Swept(1, 0)
    assert table(1) in files(bucket)


@contextmanager
def nothing_deleted(bucket: Bucket) -> Iterator[None]:
    before = files(bucket)
    with pytest.raises(StateError, match=r" is damaged: "):
        yield
    assert files(bucket) == before


@pytest.mark.parametrize("key", [cut_key(plain_cut(1)), cut_key(plain_cut(2)), "savepoints/before.json"])
def test_damaged_manifest_ends_all_deletions_of_files(key: str, bucket: Bucket) -> None:
    """It may name any of them: the oldest one, the newest one, and a savepoint."""
    add(bucket, 1, table(1))
    add(bucket, 2, table(2))
    bucket.store.put(key, b'{"number": 1')
    with nothing_deleted(bucket):
        Retention(bucket, 1, 1, lambda: True).apply()


def test_files_go_at_last_after_a_failure(bucket: Bucket) -> None:
    """A manifest that was dropped before a failure is not there at the next attempt."""
    add(bucket, 1, table(1))
    retention = Retention(bucket, 1, 1, lambda: True)
    retention.apply()
    add(bucket, 2, table(2))
    bucket.store.put("savepoints/before.json", b"{")
    with nothing_deleted(bucket):
        retention.apply()
    bucket.store.delete(["savepoints/before.json"])
    retention.apply()
    assert files(bucket) == {table(2), "archives/1-2"}


def test_savepoint_of_a_used_name_lets_the_files_of_the_earlier_one_go(bucket: Bucket) -> None:
    """Both changes are between two sweeps."""
    add(bucket, 1, table(1))
    retention = Retention(bucket, 1, 1, lambda: True)
    bucket.save("before")
    retention.apply()
    add(bucket, 2, table(2))
    retention.apply()
    bucket.drop("before")
    bucket.save("before")
    add(bucket, 3, table(3))
    retention.apply()
    assert files(bucket) == {table(2), table(3), "archives/1-2", "archives/1-3"}


class Sweeps(RuleBasedStateMachine):
    """Cuts, savepoints, restarts and sweeps in any order."""

    @initialize(keep=st.integers(1, 3))
    def begin(self, keep: int) -> None:
        self.folder = TemporaryDirectory()
        self.bucket = folder_bucket(Path(self.folder.name))
        self.keep = keep
        self.restart()
        self.newest: list[str] = []
        self.number = 0

    def teardown(self) -> None:
        self.folder.cleanup()

    @rule(kept=st.integers(0, 3), new=st.integers(0, 2))
    def make_cut(self, kept: int, new: int) -> None:
        """Make a cut with new tables, and some of those of the newest one."""
        self.number += 1
        self.newest = [*self.newest[:kept], *(table(10 * self.number + each) for each in range(new))]
        add(self.bucket, self.number, *self.newest)

    @rule()
    def restart(self) -> None:
        self.retention = Retention(self.bucket, 1, self.keep, lambda: True, sweep_every_s=0)

    @rule()
    def interrupt_an_upload(self) -> None:
        self.bucket.store.put(f"tables/000/000001-1f3a09bc/left-{self.number}", b"x")

    @precondition(lambda self: self.number > 0)
    @rule(name=st.sampled_from(NAMES))
    def save(self, name: str) -> None:
        if name not in self.bucket.savepoints():
            self.bucket.save(name)

    @rule(name=st.sampled_from(NAMES))
    def drop(self, name: str) -> None:
        if name in self.bucket.savepoints():
            self.bucket.drop(name)

    @rule()
    def sweep(self) -> None:
        self.retention.apply()
        assert files(self.bucket) == self.named()
        assert len(self.bucket.cuts()) <= self.keep

    def named(self) -> set[str]:
        cuts = [*self.bucket.all_cuts(), *self.bucket.savepoints().values()]
        return {file.key for cut in cuts for file in cut.files}

    @invariant()
    def named_files_are_there(self) -> None:
        assert self.named() <= files(self.bucket)


class TestSweeps(Sweeps.TestCase):  # type: ignore[misc,valid-type]  # Hypothesis makes the class
    """Test of `Sweeps`."""

    settings = settings(max_examples=30, stateful_step_count=20)
