"""Cluster: hosts gather, agree on a plan, and notice the end, the silence and the stop of another host."""

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from threading import Event

import pytest
import redis
from msgspec.structs import replace

from connectors.redis.client import RedisClient
from dataflows.hosts import cluster as module
from dataflows.hosts.cluster import Cluster
from dataflows.hosts.members import Member, MemberStore, Plan
from dataflows.observability.watch import Watch
from dataflows.restoring import Loss
from dataflows.runtime.stopping import Stop
from state.errors import HostError, OwnershipError
from tacit.errors import TacitError
from tests.support.conditions import eventually

ADDRESSES = ("a:1", "b:1")
PLAN = Plan([], "line", "state", False, "{}", 1, 1, "", 0, "")


@pytest.fixture(autouse=True)
def _short_times(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BEAT_S", 0.02)
    monkeypatch.setattr(module, "SILENT_S", 0.5)


class Host:
    """Cluster as one host sees it, without processes."""

    def __init__(self, url: str, number: int, run: str, within_s: float | None = 20) -> None:
        self.stop, self.watch, self.loss = Stop(), Watch(), Loss()
        self.lost: list[str] = []
        self.ended = Event()
        store = MemberStore(RedisClient(url, retry_for_s=0), "eu", "live")
        me = Member(run, 0, "starting", ADDRESSES[number], {}, False, "")
        self.cluster = Cluster(
            store, number, ADDRESSES, me, self.watch, self.stop, self.loss, self.lost.append, within_s
        )

    def run_under_a_plan(self, stack: ExitStack) -> None:
        stack.enter_context(self.cluster.running(self.ended.set, self.ended.set))


@pytest.fixture
def hosts(redis_url: str) -> Iterator[tuple[Host, Host]]:
    """Two hosts that run under one plan."""
    one, other = Host(redis_url, 0, "one"), Host(redis_url, 1, "other")
    with ExitStack() as stack:
        stack.enter_context(one.cluster)
        stack.enter_context(other.cluster)
        agree(one, other, stack)
        yield one, other


def soon(condition: Callable[[], object], what: str) -> None:
    eventually(condition, within_s=20, what=what)


@contextmanager
def gathering(host: Host) -> Iterator[Future[dict[int, Member] | None]]:
    """Gather in another thread, as the hosts do at once."""
    with ThreadPoolExecutor(1) as threads:
        yield threads.submit(host.cluster.gather, "", has_users=False)


def agree(one: Host, other: Host, stack: ExitStack) -> None:
    """Gather, and let both run."""
    with gathering(other), gathering(one) as found:
        members = found.result(20)
    assert members is not None
    tickets = [members[number].ticket for number in (0, 1)]
    one.cluster.publish(replace(PLAN, members=tickets))
    plan = other.cluster.await_plan()
    assert plan is not None
    assert plan.members == tickets
    for host in (one, other):
        host.run_under_a_plan(stack)
    soon(lambda: phases(one, other) == ["running", "running"], "both to run")


def phases(one: Host, other: Host) -> list[str]:
    """Return the phase of each host, as the other one sees it."""
    return [one.cluster.members[1].phase, other.cluster.members[0].phase]


def test_hosts_gather_and_follow_the_plan_of_the_first(hosts: tuple[Host, Host]) -> None:
    """Nothing ends them; the lease for uploads holds on both."""
    one, other = hosts
    soon(lambda: one.cluster.lease.holds and other.cluster.lease.holds, "the lease")
    assert not one.ended.is_set()
    assert not other.ended.is_set()


class SlowStore(MemberStore):
    """Members whose read waits, as on a busy machine."""

    def __init__(self, url: str) -> None:
        super().__init__(RedisClient(url, retry_for_s=0), "eu", "live")
        self.may_read, self.reads = Event(), Event()
        self.may_read.set()

    def read(self) -> tuple[Mapping[int, Member], Plan | None]:
        self.reads.set()
        self.may_read.wait(20)
        return super().read()


def test_host_knows_its_own_round_while_a_look_is_slow(redis_url: str) -> None:
    """The look began before the round, so Redis has an earlier member of the host at the next one."""
    one, other = Host(redis_url, 0, "one"), Host(redis_url, 1, "other")
    one.cluster._store = slow = SlowStore(redis_url)
    with other.cluster, gathering(other), one.cluster, ThreadPoolExecutor(1) as threads:
        soon(lambda: 1 in one.cluster.members and one.cluster.members[1].phase == "waiting", "the other host")
        slow.may_read.clear()
        slow.reads.clear()
        assert slow.reads.wait(20)
        found = threads.submit(one.cluster.gather, "line", has_users=True)
        soon(lambda: one.cluster._me.phase == "waiting", "the round")
        slow.may_read.set()
        members = found.result(20)
        assert members is not None
        assert (members[0].ticket, members[0].line, members[0].has_users) == ("one/1", "line", True)
        other.stop.request()


def test_stop_of_one_host_ends_the_processes_of_the_other_in_order(hosts: tuple[Host, Host]) -> None:
    one, other = hosts
    other.stop.request()
    assert one.ended.wait(10)
    assert one.cluster.problem == ""


def test_bounded_run_ends_once_the_first_host_has_completed_it(hosts: tuple[Host, Host], redis_url: str) -> None:
    """It has the counters of the others then; a host that was killed at the end gets the result."""
    one, other = hosts
    with ThreadPoolExecutor(2) as threads:
        first = threads.submit(one.cluster.await_end)
        soon(lambda: other.cluster.members[0].phase == "ended", "the end of the first host")
        assert not first.done()
        other.cluster.note(b"counters")
        second = threads.submit(other.cluster.await_end)
        assert first.result(20)
        assert one.cluster.counters == [b"counters"]
        assert not second.done()
        one.cluster.complete(b"sums")
        assert second.result(20)
    other.cluster._end.set()
    again = Host(redis_url, 1, "again")
    with again.cluster:
        assert again.cluster.gather("line", has_users=True, may_end=True) is None
        found = again.cluster.completed("line")
        assert found is not None
        assert found.result == b"sums"
        assert again.cluster.completed("other") is None


def test_host_that_ended_starts_again_with_one_that_did_not(hosts: tuple[Host, Host]) -> None:
    """The other was killed before its last checkpoint."""
    one, other = hosts
    with ThreadPoolExecutor(1) as threads, gathering(other):
        ended = threads.submit(one.cluster.await_end)
        with pytest.raises(TacitError, match=r"host 1 \(b:1\) started again"):
            ended.result(20)
        other.stop.request()


def test_ended_host_may_fall_silent_before_the_first_has_ended(hosts: tuple[Host, Host]) -> None:
    """Its part is done, and its counters are in Redis."""
    one, other = hosts
    other.cluster.note(b"counters")
    with ThreadPoolExecutor(1) as threads:
        waits = threads.submit(other.cluster.await_end)
        soon(lambda: one.cluster.members[1].phase == "ended", "its end")
        other.cluster._end.set()
        other.stop.request()
        assert not waits.result(20)
    soon(lambda: one.cluster._seen[1].is_silent, "its silence")
    assert one.cluster.await_end()
    assert (one.cluster.problem, one.cluster.counters) == ("", [b"counters"])


def test_host_that_starts_again_breaks_the_cluster(hosts: tuple[Host, Host]) -> None:
    """It waits for the cluster, as its processes have ended."""
    one, other = hosts
    with gathering(other):
        assert one.ended.wait(10)
        assert one.cluster.problem == "host 1 (b:1) started again"
        other.stop.request()


def test_silent_host_breaks_the_cluster(hosts: tuple[Host, Host], redis_client: redis.Redis) -> None:
    """A machine without power writes nothing more."""
    one, other = hosts
    other.cluster._end.set()
    assert one.ended.wait(10)
    assert one.cluster.problem == "host 1 (b:1) is silent"


def test_loss_of_data_in_redis_is_passed_on_and_breaks_nothing(
    hosts: tuple[Host, Host], redis_client: redis.Redis
) -> None:
    one, other = hosts
    one.loss.begin()
    soon(lambda: other.loss() == 1, "the loss")
    redis_client.flushall()
    one.loss.end()
    soon(lambda: other.loss() == 0, "the end of the loss")
    assert not one.ended.is_set()
    assert not other.ended.is_set()


def test_second_command_as_the_same_host_is_refused(hosts: tuple[Host, Host], redis_url: str) -> None:
    second = Host(redis_url, 1, "second")
    with pytest.raises(OwnershipError, match="host 1 is run by another command"), second.cluster:
        pass
    assert not hosts[0].ended.is_set()


def test_host_whose_place_was_taken_stops(hosts: tuple[Host, Host], redis_url: str) -> None:
    """A command that was paused for long finds another one in its place."""
    _, other = hosts
    store = MemberStore(RedisClient(redis_url, retry_for_s=0), "eu", "live")

    def is_found() -> bool:
        store.write(1, Member("third", 1, "waiting", "b:1", {}, False, ""), None)  # as that command does at each look
        return bool(other.lost)

    soon(is_found, "the end of the host")
    store.close()


def test_member_of_a_killed_command_does_not_wait(redis_url: str) -> None:
    """It stays in Redis, and nothing changes it."""
    host, store = (
        Host(redis_url, 0, "one", within_s=0.3),
        MemberStore(RedisClient(redis_url, retry_for_s=0), "eu", "live"),
    )
    store.write(1, Member("killed", 1, "waiting", "b:1", {}, False, ""), None)
    store.close()
    with host.cluster, pytest.raises(HostError, match=r"waits for host 1"):
        host.cluster.gather("", has_users=False)


def test_missing_host_is_named_after_the_time_limit(redis_url: str) -> None:
    host = Host(redis_url, 0, "one", within_s=0.3)
    with host.cluster, pytest.raises(HostError, match=r"waits for host 1 \(b:1\) since 0\.3 s"):
        host.cluster.gather("", has_users=False)
