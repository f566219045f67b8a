"""One host's view of its cluster: a thread writes and reads the members, and notices when the cluster must stop.

waiting ── all hosts wait, and the first one publishes a plan ──► starting ──► running ── a host stops ──► stopping
   ▲                                                                 │            │ └─ a bounded run ends ─► ended
   └────── a host starts again, is silent, or lost its processes ◄────┴────────────┘
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Event, Lock, Thread
from time import monotonic
from types import TracebackType
from typing import Self

import structlog
from msgspec.structs import replace

from connectors.redis.client import RETRY_FOR_S
from dataflows.hosts.members import Member, MemberStore, Plan
from dataflows.lease import Lease, now_s
from dataflows.observability.watch import STARTING, Watch
from dataflows.restoring import Loss
from dataflows.runtime.stopping import Stop
from state.errors import HostError, OwnershipError, SinkError
from tacit.errors import TacitError

BEAT_S = 0.5
START_S = 180.0
"""Time for the connections of all processes, and for the fetch of their shards."""
SILENT_S = 10.0
"""Time without a new beat after which a host counts as lost."""
_SILENT_LOOKS = round(SILENT_S / BEAT_S)
"""That time in looks: a host that did not look itself, as its machine was busy or paused, counts no other as lost."""
_LOG_EVERY_S = 10.0

_log = structlog.get_logger(__name__)


@dataclass(slots=True)
class _Seen:
    member: Member
    is_alive: bool
    """False for a member that this host has seen once: its command may have been killed before."""
    unchanged: int = 0
    """Number of looks since its beat changed."""

    @property
    def is_silent(self) -> bool:
        """True if the host counts as lost."""
        return self.unchanged > _SILENT_LOOKS


class Cluster:
    """Hosts of a run, as one of them sees them.

    Args:
        store: members in Redis.
        host: number of this host.
        addresses: HOST:PORT of each host, for errors.
        me: this host.
        watch: watch over the run, which shows a wait and gets the figures of the other hosts.
        stop: stop request of this host.
        loss: number of the loss of data in Redis, which the first host finds.
        on_loss: called with the reason when another command runs as this host.
        gather_within_s: time for which a host waits for the others; None: without a limit.
    """

    def __init__(
        self,
        store: MemberStore,
        host: int,
        addresses: tuple[str, ...],
        me: Member,
        watch: Watch,
        stop: Stop,
        loss: Loss,
        on_loss: Callable[[str], None],
        gather_within_s: float | None,
    ) -> None:
        self._store = store
        self.host = host
        self._addresses = addresses
        self._me = me
        self._watch = watch
        self._stop = stop
        self._loss = loss
        self._on_loss = on_loss
        self._within_s = gather_within_s
        self._seen: dict[int, _Seen] = {}
        self._plan: Plan | None = None
        """Plan of this round."""
        self._stored: Plan | None = None
        self._is_member = False
        self._running_since_s = 0.0
        self._looks = 0
        self._looked = Event()
        self._lock = Lock()
        self._end = Event()
        self._on_break: Callable[[], None] = lambda: None
        self._on_stop: Callable[[], None] = lambda: None
        self._result = b""
        self.problem = ""
        """Reason for which the cluster must start again; empty for none."""
        self.lease = Lease()
        """Holds while the hosts of the plan run; the process that uploads sees it."""

    def __enter__(self) -> Self:
        self._join()
        self._thread = Thread(target=self._run, name="cluster", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        is_lost = self._end.is_set()
        self._end.set()
        self._thread.join()
        if is_lost:  # the member is another command's
            return
        try:
            self._store.leave(self.host)
        except SinkError as failure:
            _log.warning("cluster.leave_failed", error=str(failure))

    # Start

    def _join(self) -> None:
        """Wait until no other command runs as this host; one that was killed is silent.

        Raises:
            OwnershipError: another command runs as this host.
        """
        seen: Member | None = None
        until_s = monotonic() + SILENT_S
        while not self._stop.requested.is_set():
            try:
                members, _ = self._store.read()
            except SinkError as error:
                _log.warning("cluster.unreadable", error=str(error))
                until_s = monotonic() + SILENT_S
            else:
                found = members.get(self.host)
                if found is None or (monotonic() > until_s and found == seen):
                    return
                if seen is not None and found != seen:
                    raise OwnershipError(self._taken(found))
                seen = found
            self._stop.requested.wait(BEAT_S)

    def _taken(self, other: Member) -> str:
        return f"host {self.host} is run by another command ({other.name}): stop that one, or correct --host"

    def gather(self, line: str, *, has_users: bool, may_end: bool = False) -> dict[int, Member] | None:
        """Wait until all hosts wait, or until host 0 has seen that, and return them.

        None after a stop request, and with `may_end` if all hosts have completed the bounded run.

        Raises:
            HostError: a host is missing after the time limit.
        """
        with self._lock:
            self.problem, self._plan = "", None
            self._me = replace(
                self._me,
                round=self._me.round + 1,
                phase="waiting",
                line=line,
                has_users=has_users,
                restored=(0, []),
                counters=b"",
            )
        until_s = None if self._within_s is None else monotonic() + self._within_s
        logged_s = monotonic()
        while not self._stop.requested.is_set():
            self._await_look()
            if may_end and self.completed(line):
                return None
            missing = [number for number in range(len(self._addresses)) if not self._waits(number)]
            if not missing or self._stored_plan:  # a host that saw all wait may have begun to run since
                return {**self.members, self.host: self._me}  # Redis may still have an earlier member of this host
            text = "waits for " + ", ".join(f"host {number} ({self._addresses[number]})" for number in missing)
            self._watch.fail(STARTING, text)
            if until_s and monotonic() > until_s:
                raise HostError(f"{text} since {self._within_s:g} s: start it, or correct --hosts")
            if monotonic() - logged_s > _LOG_EVERY_S:
                logged_s = monotonic()
                _log.warning("cluster.waiting", hosts=missing)
        return None

    def _waits(self, number: int) -> bool:
        if number == self.host:
            return True
        seen = self._seen.get(number)
        return seen is not None and seen.member.phase == "waiting" and seen.is_alive and not seen.is_silent

    @property
    def _stored_plan(self) -> Plan | None:
        """Plan of the first host, once it has this round of this host."""
        plan = self._stored
        return plan if plan and plan.members[self.host : self.host + 1] == [self._me.ticket] else None

    def await_plan(self) -> Plan | None:
        """Return the plan of the first host with this round of this host; None after a stop request.

        A first host that is lost meanwhile may name the round in a plan after its next start.

        Raises:
            HostError: there is none within the time limit.
        """
        until_s = None if self._within_s is None else monotonic() + self._within_s
        self._watch.fail(STARTING, "waits for the plan of host 0")
        while not self._stop.requested.is_set():
            if plan := self._stored_plan:
                self._start(plan)
                return plan
            if until_s and monotonic() > until_s:
                raise HostError(f"host 0 ({self._addresses[0]}) gave no plan within {self._within_s:g} s")
            self._await_look()
        return None

    def publish(self, plan: Plan) -> None:
        """Publish the plan, on the first host."""
        self._start(plan)

    def _start(self, plan: Plan) -> None:
        """Note that this host starts by a plan: no other plan may have this round of it."""
        with self._lock:
            self._plan, self._me = plan, replace(self._me, phase="starting")

    @property
    def members(self) -> Mapping[int, Member]:
        """Members as of the last look."""
        return {number: seen.member for number, seen in dict(self._seen).items()}

    # Run

    @contextmanager
    def running(self, on_stop: Callable[[], None], on_break: Callable[[], None]) -> Iterator[None]:
        """Note that this host has its processes; call `on_stop` when another one stops, `on_break` at a loss."""
        with self._lock:
            self._on_stop, self._on_break = on_stop, on_break
            self._me = replace(self._me, phase="running")
            self._running_since_s = monotonic()
        try:
            yield
        finally:
            with self._lock:
                self._on_stop = self._on_break = lambda: None

    def stopping(self) -> None:
        """Note that this host ends its processes after a checkpoint."""
        with self._lock:
            self._me = replace(self._me, phase="stopping")

    # End of a bounded run

    def note(self, counters: bytes) -> None:
        """Show the counters of this host to the first one."""
        with self._lock:
            self._me = replace(self._me, counters=counters)

    @property
    def counters(self) -> Sequence[bytes]:
        """Counters of the other hosts since the start by the plan, as of the last look."""
        tickets = self._plan.members if self._plan else []
        return [one.counters for number, one in self.members.items() if number != self.host and one.ticket in tickets]

    def await_end(self) -> bool:
        """Note that this host has read to its end, and wait for the others; False after a stop request.

        The first host waits for the ends of all others, and these for `complete` of the first host.

        Raises:
            TacitError: another host is lost: all have to start again.
        """
        with self._lock:
            self._me = replace(self._me, phase="ended")
        while not self._stop.requested.is_set():
            self._await_look()
            if self._has_ended():
                return True
            if self.problem:
                raise TacitError(self.problem)
        return False

    @property
    def start(self) -> str:
        """Name of the common start by the plan; empty without a plan."""
        return self._plan.start if self._plan else ""

    @property
    def stored_start(self) -> str:
        """Name of the start by the plan in Redis, which may be of an earlier run; empty without one."""
        return self._stored.start if self._stored else ""

    def _has_ended(self) -> bool:
        if self.host:
            return bool(self._stored_plan and self._stored_plan.result)
        tickets = self._plan.members if self._plan else []
        found = {one.ticket for one in self.members.values() if one.phase == "ended"}
        return set(tickets[1:]) <= found

    def complete(self, result: bytes) -> None:
        """Note on the first host that the bounded run has ended on all hosts, and return once Redis has the result."""
        self._result = result
        if self._plan:
            self._plan = replace(self._plan, result=result)
        until_s = monotonic() + RETRY_FOR_S
        while not (self._stored_plan and self._stored_plan.result):
            if monotonic() > until_s:
                raise SinkError("Redis did not take the end of the replay in time: run the same command again")
            self._looked.clear()
            self._looked.wait(BEAT_S)

    def completed(self, line: str) -> Plan | None:
        """Return the plan of the bounded run that all hosts with this line of states have completed; None for none.

        A host that was killed at the end finds it at its next start, when the others need it no more.
        """
        plan = self._stored
        return plan if plan and plan.result and plan.line == line else None

    # Thread

    def _await_look(self) -> None:
        looks = self._looks
        while self._looks < looks + 2 and not self._stop.requested.is_set() and not self._end.is_set():
            self._looked.clear()
            self._looked.wait(BEAT_S)

    def _run(self) -> None:
        while True:
            try:
                self._look()
            except SinkError as error:  # without Redis no host can be seen, and none counts as silent
                self._watch.fail("cluster", str(error))
                for seen in self._seen.values():
                    seen.unchanged = 0
            else:
                self._watch.clear("cluster")
            self._looks += 1
            self._looked.set()
            if self._end.wait(BEAT_S):
                self._store.close()
                return

    def _look(self) -> None:
        with self._lock:
            if self._stop.requested.is_set() and self._me.phase == "running":
                self._me = replace(self._me, phase="stopping")
            self._me = me = replace(self._me, beat=self._me.beat + 1, **self._watch.shared_figures())
        members, self._stored = self._store.read()
        mine = members.get(self.host)
        if self._is_member and mine and mine.run != me.run:
            self._on_loss(self._taken(mine))
            self._end.set()
            return
        self._store.write(self.host, me, self._plan if self.host == 0 else None)
        self._is_member = True
        for seen in self._seen.values():
            seen.unchanged += 1
        for number, member in members.items():
            found = self._seen.get(number)
            if found is None or (found.member.ticket, found.member.beat) != (member.ticket, member.beat):
                self._seen[number] = _Seen(member, is_alive=found is not None and found.member.run == member.run)
        self._watch.others = [seen.member for number, seen in self._seen.items() if number != self.host]
        if self._plan and me.phase != "waiting":
            self._check(self._plan)
        if self._plan and not self.problem:
            self.lease.extend(now_s() + SILENT_S)
            self._share_loss(self._plan)

    def _share_loss(self, plan: Plan) -> None:
        """Pass the number of a loss of data in Redis from the first host to all others."""
        if self.host == 0:
            self._plan = replace(plan, loss=self._loss.number, result=self._result)
        elif self._stored and self._stored.members == plan.members:
            self._loss.follow(self._stored.loss)

    def _check(self, plan: Plan) -> None:
        """Compare the other hosts with the plan; processes that found each other make progress."""
        late = monotonic() - self._running_since_s > START_S
        if late and self._me.phase == "running" and self._watch.progressed_at < self._running_since_s:
            self._break(f"the processes of all hosts did not find each other within {START_S:g} s")
        for number, ticket in enumerate(plan.members):
            seen = self._seen.get(number)
            if number == self.host or seen is None:
                continue
            if seen.member.ticket != ticket:
                self._break(f"host {number} ({seen.member.name}) started again")
            elif seen.is_silent and (seen.member.phase != "ended" or number == 0):
                self._break(f"host {number} ({seen.member.name}) is silent")
            elif seen.member.phase == "stopping" and self._me.phase == "running":
                _log.info("cluster.stopping", host=number)
                self.stopping()
                self._on_stop()

    def _break(self, problem: str) -> None:
        if not self.problem:
            self.problem = problem
            _log.error("cluster.broken", problem=problem)
        self._on_break()
