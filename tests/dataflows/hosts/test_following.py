"""One host's view of its cluster, next to a first host whose members the test writes."""

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack

import pytest

from connectors.redis.client import RedisClient
from dataflows.hosts.cluster import Cluster
from dataflows.hosts.members import Member, MemberStore, Phase, Plan
from dataflows.observability.watch import Watch
from dataflows.restoring import Loss
from dataflows.runtime.stopping import Stop
from tests.support.conditions import eventually
from tests.support.replays import redis_of_its_own

ADDRESSES = ("127.0.0.1:2101", "127.0.0.2:2101")
WITHIN_S = 20


def member(run: str, number: int, phase: Phase) -> Member:
    return Member(run, number, phase, run, {}, has_users=False, line="")


def plan(*tickets: str) -> Plan:
    return Plan(list(tickets), "line", "state", False, "", 0, 0, "", 0, "")


class FirstHost:
    """Members of the first host, as the test writes them, and what it sees."""

    def __init__(self, store: MemberStore) -> None:
        self._store = store

    def see(self, number: int, phase: Phase, stored: Plan | None = None) -> Member | None:
        """Write a round of the first host, and return the other one."""
        self._store.write(0, member("first", number, phase), stored)
        return self._store.read()[0].get(1)

    def wait_for(self, ticket: str, phase: Phase) -> None:
        def is_seen() -> bool:
            found = self._store.read()[0].get(1)
            return found is not None and (found.ticket, found.phase) == (ticket, phase)

        eventually(is_seen, within_s=WITHIN_S, what=f"{ticket} to be {phase}")


@pytest.fixture
def hosts() -> Iterator[tuple[FirstHost, Cluster, ThreadPoolExecutor]]:
    """Yield the first host, a second one, and a thread for calls that wait."""
    with ExitStack() as stack:
        url, _ = stack.enter_context(redis_of_its_own())
        first, second = (MemberStore(RedisClient(url), "eu", "ns") for _ in range(2))
        stack.callback(first.close)
        me = member("second", 0, "starting")
        cluster = Cluster(second, 1, ADDRESSES, me, Watch(), Stop(), Loss(), print, WITHIN_S)
        stack.enter_context(cluster)
        yield FirstHost(first), cluster, stack.enter_context(ThreadPoolExecutor(1))


def test_host_that_saw_the_others_wait_too_late_follows_the_plan(
    hosts: tuple[FirstHost, Cluster, ThreadPoolExecutor],
) -> None:
    """The first host has its processes already; the plan shows that it waited."""
    first, second, thread = hosts
    first.see(1, "running")
    gathered: Future[object] = thread.submit(lambda: second.gather("", has_users=False))
    first.wait_for("second/1", "waiting")
    assert not gathered.done()
    first.see(1, "running", plan("first/1", "second/1"))
    assert gathered.result(WITHIN_S)
    assert second.await_plan() == plan("first/1", "second/1")


def test_host_with_a_plan_waits_no_longer(hosts: tuple[FirstHost, Cluster, ThreadPoolExecutor]) -> None:
    """So no other plan has its round; it learns that the plan has ended from the next round of the first host."""
    first, second, thread = hosts
    first.see(1, "waiting")
    gathered: Future[object] = thread.submit(lambda: second.gather("", has_users=False))
    first.wait_for("second/1", "waiting")
    first.see(1, "starting", plan("first/1", "second/1"))
    assert gathered.result(WITHIN_S)
    assert second.await_plan() is not None
    first.wait_for("second/1", "starting")
    first.see(2, "waiting")
    eventually(lambda: second.problem, within_s=WITHIN_S, what="the end of the plan")
    assert second.problem == "host 0 (first) started again"
