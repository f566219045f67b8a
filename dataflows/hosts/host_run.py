"""Run of one host of a cluster: gather, agree on the start, run, and gather again when a host is lost or stops.

A live run ends with a stop request. A bounded run also ends once all hosts have read to their end.
"""

import errno
import os
import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import structlog

from connectors.redis.client import RedisClient
from connectors.redis.round_store import RedisRoundStore
from dataflows.cuts.bucket import Bucket, open_bucket
from dataflows.cuts.cut_run import Start, begin, choose_start, fenced, is_complete, uploads
from dataflows.cuts.local_cut import LocalCut
from dataflows.host_settings import process_addresses
from dataflows.hosts.cluster import Cluster
from dataflows.hosts.line import Line, read_line
from dataflows.hosts.members import Member, MemberStore, Plan
from dataflows.hosts.packed_counters import pack_counters, unpack_counters
from dataflows.hosts.setup import require_same_setup, setup_of
from dataflows.inputs import is_repeated
from dataflows.job import Job
from dataflows.keeper import Keeper
from dataflows.lease import Lease
from dataflows.observability.watch import STARTING, Watch
from dataflows.ownership import Ownership
from dataflows.runtime.run import run
from dataflows.runtime.stopping import Stop
from dataflows.runtime.supervisor import Seat
from dataflows.runtime.worker import EngineError
from dataflows.state_folder import StateFolder, has_no_users, read_folder_id, start_over, write_folder_id
from state.counters import Counters
from state.errors import (
    AccessError,
    GapError,
    HostError,
    ObjectRefusedError,
    OwnershipError,
    SinkError,
    SourceError,
    StateError,
)
from state.storage.rocksdb import storage_error
from tacit.contract.keys import RegionKeys
from tacit.errors import ConfigurationError, TacitError

_OF_ADDRESS = {
    errno.EADDRNOTAVAIL: "is no address of this machine, as after a move of its name; if it lasts, correct --hosts",
    errno.EADDRINUSE: "or a next port is in use by another program; end that one, or correct --hosts",
}
"""Causes of an error of the exchange about the address of this host."""
QUICK_FAILURE_S = 60.0
MAX_QUICK_FAILURES = 5
_PAUSE_S = 2.0

_log = structlog.get_logger(__name__)


class _Attempt(NamedTuple):
    """A start that all hosts have agreed on, as this host prepared it."""

    job: Job
    local: LocalCut
    lease: Lease | None
    """Lease for uploads; None without object storage."""
    meet: Callable[[StateFolder, Job], Seat]


def _ignore(_: object) -> None:
    """Do nothing: a live run reports by metrics and logs."""


class HostRun:
    """One host of a cluster, for as long as its command runs.

    Args:
        job: the run.
        savepoint: savepoint in object storage to begin from.
        stop: stop request of the process.
        watch: watch over the run.
        report: receives the counters of a bounded run a few times a second: on the first host those of all hosts.
            After each start of the cluster they begin at zero, as the records since the last checkpoint are repeated.
        on_restart: receives the reason for which all hosts of a bounded run start again.
    """

    def __init__(
        self,
        job: Job,
        savepoint: str | None,
        stop: Stop,
        watch: Watch,
        report: Callable[[Counters], object] = _ignore,
        on_restart: Callable[[str], object] = _ignore,
    ) -> None:
        settings = job.settings
        assert settings.state is not None  # noqa: S101  # `host_problems` requires it
        self._job = replace(job, again=False)
        self._starts_over = job.again
        self._report = report
        self._on_restart = on_restart
        self._folder: Path = settings.state
        self._savepoint = savepoint
        self._stop = stop
        self._watch = watch
        self._host, self._hosts = job.share
        self._line = ""
        self._may_end = job.bounded
        """False once a complete replay turns out to be another one, or to have more to read."""
        self._ownership = Ownership(job, stop, watch)
        self._addresses = process_addresses(settings.host_addresses, settings.processes)
        client = RedisClient(settings.redis, retry_for_s=0.0)
        store = MemberStore(client, settings.region, settings.namespace, of_replay=job.bounded)
        me = Member(
            secrets.token_hex(4),
            0,
            "starting",
            settings.host_addresses[self._host],
            setup_of(job),
            has_users=False,
            line="",
        )
        self._cluster = Cluster(
            store,
            self._host,
            settings.host_addresses,
            me,
            watch,
            stop,
            self._ownership.loss,
            self._ownership.lose,
            settings.hosts_within,
        )

    def run(self) -> Counters:
        """Run until a stop request, or to the end of a bounded run on all hosts; return the counters of this host.

        The first host of a bounded run returns the sums over all hosts.

        Raises:
            HostError: a host is missing, or has other settings or another state.
            TacitError: as `run_live`.
        """
        leads = self._host == 0
        ownership = self._ownership
        try:
            with Keeper(ownership, self._watch, leads=leads), self._cluster:
                fence: AbstractContextManager[Bucket | None] = (
                    fenced(self._job, ownership, self._stop, self._watch) if leads else nullcontext()
                )
                with fence as bucket:
                    return self._run_with_restarts(bucket)
        finally:
            if leads:
                ownership.end()
            if ownership.lease.is_lost:
                raise OwnershipError(ownership.problem)

    def _run_with_restarts(self, bucket: Bucket | None) -> Counters:
        quick_failures = 0
        while not self._stop.requested.is_set():
            began_s = monotonic()
            try:
                attempt = self._prepare(bucket)
                if attempt is None and (result := self._result()):
                    return result
                if attempt is None or self._stop.requested.is_set():  # without processes, there is no last cut
                    continue
                counters = self._run(attempt)
                if self._job.bounded and not counters.stopped:  # also after a stop request since: the others wait
                    self._complete(counters)
                    return counters
                if self._stop.requested.is_set():
                    return counters
                self._on_restart("another host stopped")
            except (AccessError, ConfigurationError, StateError, GapError, HostError, ObjectRefusedError):
                raise
            except TacitError as error:
                if self._job.bounded and isinstance(error, SinkError | SourceError):
                    raise  # it ends a replay on one host, too: Redis may have lost what was written
                is_own = not self._cluster.problem and not isinstance(error, EngineError)
                quick = is_own and monotonic() - began_s < QUICK_FAILURE_S
                quick_failures = quick_failures + 1 if quick else 0
                if quick_failures >= MAX_QUICK_FAILURES or self._stop.requested.is_set():
                    raise
                problem = self._describe(error)
                self._watch.restarting(problem)
                self._on_restart(problem)
                _log.error("run.failed", error=problem)
                self._stop.requested.wait(_PAUSE_S * (1 + quick_failures))
        return Counters(stopped=True)

    def _describe(self, error: TacitError) -> str:
        """Return what the cluster noticed, and the error of the processes: each may be a consequence of the other."""
        noticed = self._cluster.problem
        if not noticed and isinstance(error, EngineError):
            address = self._job.settings.host_addresses[self._host]
            causes = (cause for number, cause in _OF_ADDRESS.items() if os.strerror(number) in str(error))
            noticed = next((f"{address} {cause}" for cause in causes), "a process of another host may be lost")
        return f"{noticed}: {error}" if noticed else str(error)

    def _run(self, attempt: _Attempt) -> Counters:
        with (
            uploads(self._job, self._folder, attempt.local, attempt.lease, self._watch)
            if attempt.lease
            else nullcontext()
        ):
            try:
                return run(attempt.job, self._count, self._stop, self._watch, self._ownership, attempt.meet)
            finally:
                self._watch.fail(STARTING)

    # Bounded run

    def _count(self, own: Counters) -> None:
        """Show the counters of a bounded run to the first host, and report them."""
        if self._job.bounded:
            self._cluster.note(pack_counters(own))
            self._report(self._summed(own))

    def _summed(self, own: Counters) -> Counters:
        """Return the sums over all hosts on the first one, and the counters of this host elsewhere."""
        if self._host:
            return own
        return Counters.total([own, *map(unpack_counters, self._cluster.counters)])

    def _end(self, own: Counters) -> Counters:
        """Wait for the other hosts at the end of a bounded run, and return the counters for the end of this one."""
        if not self._job.bounded or own.stopped:
            return own
        self._cluster.note(pack_counters(own))
        is_ended = self._cluster.await_end()
        counters = self._summed(own)
        counters.stopped |= not is_ended
        return counters

    def _result(self) -> Counters | None:
        """Return the counters of a replay that all hosts have completed, if this command repeats it; otherwise None."""
        plan = self._cluster.completed(self._line) if self._may_end else None
        if plan is None:
            return None
        self._may_end = is_repeated(self._job, self._folder, plan.ranges)
        return unpack_counters(plan.result) if self._may_end else None

    def _complete(self, counters: Counters) -> None:
        """Let the other hosts end, once the first one has completed the replay."""
        if self._host != 0:
            return
        self._cluster.complete(pack_counters(counters))
        self._delete_round(self._cluster.start)

    def _delete_round(self, start: str) -> None:
        """Delete the round of a start that has ended."""
        settings = self._job.settings
        keys = RegionKeys(settings.region).within(settings.namespace)
        with closing(RedisRoundStore(RedisClient(settings.redis), keys, start)) as store:
            store.delete()

    # Agreement

    def _prepare(self, bucket: Bucket | None) -> _Attempt | None:
        """Gather, and make the state folder that of the common start; None: after a stop request, or to try again."""
        if self._host != 0:
            self._ownership.run = b""  # so that the first host, if it started again, can take the namespace
        if self._job.bounded:
            self._watch.count_from_zero()
        complete = is_complete(self._folder) and not self._starts_over
        self._line = read_line(self._folder, self._hosts, self._job.settings.processes, self._host) if complete else ""
        has_users = complete and not has_no_users(self._folder)
        members = self._cluster.gather(self._line, has_users=has_users, may_end=self._may_end)
        if members is None:
            return None
        require_same_setup(members)
        return self._lead(bucket, members) if self._host == 0 else self._follow()

    def _lead(self, bucket: Bucket | None, members: Mapping[int, Member]) -> _Attempt:
        lines = {member.line for member in members.values()}
        fits = len(lines) == 1 and "" not in lines
        is_new = not fits and not any(member.has_users for member in members.values())
        start = Start(None, "", LocalCut())
        if bucket is not None:
            start = choose_start(self._job, bucket, self._folder, self._savepoint, self._ownership.fence, fits=fits)
            begin(self._job, bucket, self._folder, start)
        if start.cut is None and not fits and not is_new:
            raise HostError(_no_common_state(members, of_replay=self._job.bounded))
        if start.cut is None and is_new:
            self._start_over()
        if bucket is not None:
            start.local.write(self._folder)
        # With cuts, each start has a name of its own: an older copy of a folder does not fit.
        name = secrets.token_hex(8) if bucket is not None or is_new else next(iter(lines))
        Line(name, self._hosts, self._job.settings.processes, self._host).write(self._folder)
        if self._job.bounded and (before := self._cluster.stored_start):
            self._delete_round(before)
        tickets = [members[number].ticket for number in range(self._hosts)]

        resumes = any(member.has_users for member in members.values())

        def meet(folder: StateFolder, job: Job) -> Seat:
            owned = self._ownership
            self._cluster.publish(
                Plan(
                    tickets,
                    name,
                    folder.id,
                    is_new=is_new and not start.key,
                    holder=owned.run.decode(),
                    taken_ms=owned.taken_ms,
                    fence=owned.fence,
                    cut=start.key,
                    number=start.local.number,
                    begun_from=start.local.begun_from,
                    ranges=job.ranges,
                    resumes=resumes,
                )
            )
            return self._seat()

        lease = self._ownership.storage_lease if bucket is not None else None
        return _Attempt(replace(self._job, resumes=resumes), start.local, lease, meet)

    def _follow(self) -> _Attempt | None:
        plan = self._cluster.await_plan()
        if plan is None:
            return None
        settings, owned = self._job.settings, self._ownership
        local = LocalCut(plan.fence, plan.number, plan.begun_from)
        if plan.cut:
            bucket = open_bucket(settings, self._stop.requested)
            cut = bucket.read_chosen(plan.cut, plan.begun_from)
            if cut is None:
                raise HostError(
                    f"the cut {bucket.url}/{plan.cut}, from which all hosts begin, was deleted meanwhile: run the same "
                    "command again"
                )
            begin(self._job, bucket, self._folder, Start(cut, plan.cut, local))
        elif plan.is_new:
            self._start_over()
        if self._cluster.problem:  # another host is lost since: this plan is of no use
            return None
        self._require_state(plan)
        Line(plan.line, self._hosts, settings.processes, self._host).write(self._folder)
        owned.run, owned.state, owned.taken_ms, owned.fence = (
            plan.holder.encode(), plan.state, plan.taken_ms, plan.fence,
        )  # fmt: skip
        job = replace(self._job, ranges=plan.ranges, resumes=plan.resumes)
        return _Attempt(job, local, self._cluster.lease if settings.checkpoints else None, lambda *_: self._seat())

    def _start_over(self) -> None:
        start_over(self._folder)
        self._starts_over = False

    def _require_state(self, plan: Plan) -> None:
        """Give a new folder the id of the state; a folder of another state is an error."""
        found = read_folder_id(self._folder)
        if found and found != plan.state and not plan.is_new:
            raise StateError(
                f"the state folder {self._folder} is of another state than that of host 0: name an empty folder, or "
                "that of this host"
            )
        if found != plan.state:
            try:
                write_folder_id(self._folder, plan.state)
            except OSError as error:
                raise storage_error(str(self._folder), error.strerror or str(error)) from error

    def _seat(self) -> Seat:
        first = self._host * self._job.settings.processes
        return Seat(self._addresses, first, self._cluster.running, self._cluster.start, self._end)


def _no_common_state(members: Mapping[int, Member], *, of_replay: bool) -> str:
    without = [number for number, member in members.items() if not member.line]
    which = f"host {without[0]} has no state" if without else "the hosts have states that do not fit together"
    remedy = "start all hosts over with --again"
    if not of_replay:
        remedy = "use --checkpoints, from which every host fetches what it lacks"
    return (
        f"{which}, and the others cannot resume without it: restore the state folders of all hosts from one backup, or "
        f"{remedy}"
    )
