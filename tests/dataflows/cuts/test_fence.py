"""Lease on a URL: at most one cluster holds it, and a fencing number never comes back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event, local

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.objects.store import ObjectStore
from dataflows.cuts import fence as fences
from dataflows.cuts.bucket import LEASE, Bucket
from dataflows.cuts.fence import LEASE_S, Fence, Record
from dataflows.holder import Holder
from state.errors import OwnershipError
from tests.support.cuts import folder_bucket, plain_cut
from tests.support.turns import Actor, TurnStore


def holder(run: str) -> Holder:
    """Return a run on another host: no test of a process shows its end."""
    return Holder(run, "elsewhere", 1, 1, 0)


def fence_of(store: ObjectStore, run: str, lost: Callable[[str], None] = lambda _: None) -> Fence:
    return Fence(store, holder(run), lost)


def record(bucket: Bucket) -> Record:
    found = bucket.store.get(LEASE)
    assert found is not None
    return msgspec.json.decode(found.data, type=Record)


def test_first_cluster_takes_the_lease_at_once(bucket: Bucket) -> None:
    fence = fence_of(bucket.store, "a")
    assert fence.take(Event())
    assert (fence.number, fence.lease.holds) == (1, True)
    assert record(bucket).holder == holder("a")


def test_released_lease_is_taken_at_once_with_a_higher_number(bucket: Bucket) -> None:
    with fence_of(bucket.store, "a") as first:
        assert first.take(Event())
    assert not first.lease.holds
    assert record(bucket) == Record(1, None)
    second = fence_of(bucket.store, "b")
    assert second.take(Event())
    assert second.number == 2


def test_lease_of_a_run_of_this_host_that_ended_is_taken_at_once(bucket: Bucket) -> None:
    ended = msgspec.structs.replace(Holder.of_this_process("a", 1, None), pid=2**22 + 1)
    assert Fence(bucket.store, ended, lambda _: None).take(Event())
    second = fence_of(bucket.store, "b")
    assert second.take(Event())
    assert second.number == 2


def test_number_is_above_those_of_all_cuts_without_a_lease(bucket: Bucket) -> None:
    """Of two cuts, that with the higher number counts, and retention deletes the other."""
    bucket.write(plain_cut(3, fence=12))
    bucket.write(plain_cut(4, fence=7))
    bucket.store.put("cuts/readme.txt", b"x")
    fence = fence_of(bucket.store, "a")
    assert fence.take(Event())
    assert fence.number == 13


def test_number_is_above_that_of_the_state_folder(bucket: Bucket) -> None:
    """The bucket was emptied; a copy of the folder may have the earlier number."""
    fence = Fence(bucket.store, holder("a"), lambda _: None, known=4)
    assert fence.take(Event())
    assert fence.number == 5


def test_deleted_lease_is_named(bucket: Bucket) -> None:
    problems: list[str] = []
    fence = fence_of(bucket.store, "a", problems.append)
    assert fence.take(Event())
    bucket.store.delete([LEASE])
    fence._renew()
    assert fence.lease.is_lost
    assert problems == [f"{bucket.url}/{LEASE} was deleted: look who deletes objects there, and start again"]


def test_stop_request_ends_the_wait(bucket: Bucket) -> None:
    assert fence_of(bucket.store, "a").take(Event())
    stop = Event()
    stop.set()
    assert not fence_of(bucket.store, "b").take(stop)
    assert record(bucket).fence == 1


@pytest.mark.parametrize("data", [b"", b"{}", b"\xff", b'{"fence": "one", "holder": null}'])
def test_damaged_lease_is_an_error_and_stays(data: bytes, bucket: Bucket) -> None:
    """It may be that of a run with a higher number."""
    bucket.store.put(LEASE, data)
    with pytest.raises(OwnershipError, match=r"lease.json cannot be read: .*; if surely no run uses this URL, delete"):
        fence_of(bucket.store, "a").take(Event())
    found = bucket.store.get(LEASE)
    assert found is not None
    assert found.data == data


class Cluster:
    """A cluster with a clock of its own: it takes the lease, and renews it until it loses the lease."""

    def __init__(self, clocks: "Clocks", store: ObjectStore, run: str) -> None:
        self._clocks = clocks
        self.actor = Actor(self._live)
        self.fence = fence_of(TurnStore(store, self.actor.wait), run)
        self.refusal = ""

    @property
    def holds(self) -> bool:
        with self._clocks.of(self):
            return self.fence.lease.holds

    def _live(self) -> None:
        with self._clocks.of(self):
            try:
                self.fence.take(_Pauses(self.actor.wait))
                while not self.fence.lease.is_lost:
                    self.fence._renew()  # the step of its thread, which this one is here
            except OwnershipError as error:
                self.refusal = str(error)


class _Pauses(Event):
    """A stop request that never comes; its waits are turns."""

    def __init__(self, wait: Callable[[], None]) -> None:
        super().__init__()
        self._wait = wait

    def wait(self, timeout: float | None = None) -> bool:  # noqa: ARG002  # as in the base class
        self._wait()
        return False


class Clocks:
    """Clocks of clusters, which differ by a constant."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self._offsets_s: dict[Cluster, float] = {}
        self._present = local()

    def set(self, cluster: Cluster, offset_s: float) -> None:
        self._offsets_s[cluster] = offset_s

    def read(self) -> float:
        return self.now_s + self._offsets_s[self._present.cluster]

    @contextmanager
    def of(self, cluster: Cluster) -> Iterator[None]:
        """Let the present thread read the clock of a cluster."""
        self._present.cluster = cluster
        yield


STEPS = st.lists(st.sampled_from([0, 1]) | st.sampled_from([0.5, 2.0, LEASE_S - 1, LEASE_S + 1]).map(str), max_size=60)


@settings(max_examples=60)
@given(STEPS, st.tuples(st.floats(1, 1e6), st.floats(1, 1e6)))
def test_at_most_one_cluster_holds_the_lease(steps: list[int | str], offsets_s: tuple[float, float]) -> None:
    """Takes, renewals and pauses of two clusters in any order; a number follows a lower one only."""
    clocks = Clocks()
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("dataflows.lease.now_s", clocks.read)
        patch.setattr(fences, "now_s", clocks.read)
        bucket = folder_bucket(Path(folder))
        clusters = [Cluster(clocks, bucket.store, run) for run in "ab"]
        for cluster, offset_s in zip(clusters, offsets_s, strict=True):
            clocks.set(cluster, offset_s)
            cluster.actor.start()
        numbers = [0]
        for step in steps:
            if isinstance(step, int):
                clusters[step].actor.step()
            else:
                clocks.now_s += float(step)
            assert sum(cluster.holds for cluster in clusters) <= 1
            if bucket.store.get(LEASE):
                numbers.append(record(bucket).fence)
        assert numbers == sorted(numbers)
        for cluster in clusters:
            assert cluster.actor.error is None
            assert cluster.refusal == "" or " is held by the run " in cluster.refusal
            if cluster.fence.lease.is_lost:
                assert record(bucket).fence > cluster.fence.number > 0


def test_lease_without_renewals_is_taken_after_its_time_and_the_first_cluster_loses_it() -> None:
    """The clock of the second cluster shows the time; the first one finds its loss at its next renewal."""
    clocks = Clocks()
    with TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr("dataflows.lease.now_s", clocks.read)
        patch.setattr(fences, "now_s", clocks.read)
        bucket = folder_bucket(Path(folder))
        first, second = (Cluster(clocks, bucket.store, run) for run in "ab")
        for cluster, offset_s in ((first, 1000.0), (second, 500.0)):
            clocks.set(cluster, offset_s)
            cluster.actor.start()
        for _ in range(3):  # get, list, put
            first.actor.step()
        for _ in range(2):  # get, pause
            second.actor.step()
        assert (first.holds, second.holds) == (True, False)
        clocks.now_s += LEASE_S + 1
        for _ in range(4):  # get, list, put, and the turn before a renewal
            second.actor.step()
        assert (first.holds, second.holds, second.fence.number) == (False, True, 2)
        first.actor.end()
        assert first.fence.lease.is_lost
        assert record(bucket).holder == holder("b")
