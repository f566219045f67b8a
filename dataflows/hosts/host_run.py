"""Live run of one host of a cluster: gather, agree on the start, run, and gather again when a host is lost or stops."""

import secrets
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from hashlib import blake2b
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import msgspec
import structlog

from connectors.redis.client import RedisClient
from dataflows.cuts.bucket import Bucket, open_bucket
from dataflows.cuts.cut_run import Start, begin, choose_start, fenced, is_complete, uploads
from dataflows.cuts.local_cut import LocalCut
from dataflows.host_settings import process_addresses
from dataflows.hosts.cluster import Cluster
from dataflows.hosts.line import Line, read_line
from dataflows.hosts.members import Member, MemberStore, Plan
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
from state.errors import AccessError, GapError, HostError, ObjectRefusedError, OwnershipError, StateError
from state.storage.rocksdb import storage_error
from tacit.errors import ConfigurationError, TacitError

QUICK_FAILURE_S = 60.0
MAX_QUICK_FAILURES = 5
_PAUSE_S = 2.0

_log = structlog.get_logger(__name__)


class _Attempt(NamedTuple):
    """A start that all hosts have agreed on, as this host prepared it."""

    local: LocalCut
    lease: Lease | None
    """Lease for uploads; None without object storage."""
    meet: Callable[[StateFolder], Seat]


class HostRun:
    """One host of a cluster, for as long as its command runs.

    Args:
        job: the live run.
        savepoint: savepoint in object storage to begin from.
        stop: stop request of the process.
        watch: watch over the run.
    """

    def __init__(self, job: Job, savepoint: str | None, stop: Stop, watch: Watch) -> None:
        settings = job.settings
        assert settings.state is not None  # noqa: S101  # `host_problems` requires it
        self._job = job
        self._folder: Path = settings.state
        self._savepoint = savepoint
        self._stop = stop
        self._watch = watch
        self._host, self._hosts = job.share
        self._ownership = Ownership(job, stop, watch)
        self._addresses = process_addresses(settings.host_addresses, settings.processes)
        store = MemberStore(RedisClient(settings.redis, retry_for_s=0.0), settings.region, settings.namespace)
        me = Member(
            secrets.token_hex(4),
            0,
            "starting",
            settings.host_addresses[self._host],
            _setup(job),
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
        """Run until a stop request.

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
                if attempt is None or self._stop.requested.is_set():  # without processes, there is no last cut
                    continue
                counters = self._run(attempt)
                if self._stop.requested.is_set():
                    return counters
            except (AccessError, ConfigurationError, StateError, GapError, HostError, ObjectRefusedError):
                raise
            except TacitError as error:
                is_own = not self._cluster.problem and not isinstance(error, EngineError)
                quick = is_own and monotonic() - began_s < QUICK_FAILURE_S
                quick_failures = quick_failures + 1 if quick else 0
                if quick_failures >= MAX_QUICK_FAILURES or self._stop.requested.is_set():
                    raise
                problem = self._describe(error)
                self._watch.restarting(problem)
                _log.error("run.failed", error=problem)
                self._stop.requested.wait(_PAUSE_S * (1 + quick_failures))
        return Counters(stopped=True)

    def _describe(self, error: TacitError) -> str:
        """Return what the cluster noticed, and the error of the processes: each may be a consequence of the other."""
        noticed = self._cluster.problem
        if not noticed and isinstance(error, EngineError):
            noticed = "a process of another host may be lost"
        return f"{noticed}: {error}" if noticed else str(error)

    def _run(self, attempt: _Attempt) -> Counters:
        with (
            uploads(self._job, self._folder, attempt.local, attempt.lease, self._watch)
            if attempt.lease
            else nullcontext()
        ):
            try:
                return run(self._job, lambda _: None, self._stop, self._watch, self._ownership, attempt.meet)
            finally:
                self._watch.fail(STARTING)

    # Agreement

    def _prepare(self, bucket: Bucket | None) -> _Attempt | None:
        """Gather, and make the state folder that of the common start; None: after a stop request, or to try again."""
        if self._host != 0:
            self._ownership.run = b""  # so that the first host, if it started again, can take the namespace
        complete = is_complete(self._folder)
        line = read_line(self._folder, self._hosts, self._job.settings.processes) if complete else ""
        members = self._cluster.gather(line, has_users=complete and not has_no_users(self._folder))
        if members is None:
            return None
        _require_same_setup(members)
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
            raise HostError(_no_common_state(members))
        if start.cut is None and is_new:
            start_over(self._folder)
        if bucket is not None:
            start.local.write(self._folder)
        name = secrets.token_hex(8) if start.cut or is_new else next(iter(lines))
        Line(name, self._hosts, self._job.settings.processes).write(self._folder)
        tickets = [members[number].ticket for number in range(self._hosts)]

        def meet(folder: StateFolder) -> Seat:
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
                )
            )
            return self._seat()

        lease = self._ownership.storage_lease if bucket is not None else None
        return _Attempt(start.local, lease, meet)

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
                    f"{bucket.url}/{plan.cut} is gone, from which all hosts begin: the next start has another"
                )
            begin(self._job, bucket, self._folder, Start(cut, plan.cut, local))
        elif plan.is_new:
            start_over(self._folder)
        if self._cluster.problem:  # another host is lost since: this plan is of no use
            return None
        self._require_state(plan)
        Line(plan.line, self._hosts, settings.processes).write(self._folder)
        owned.run, owned.state, owned.taken_ms, owned.fence = (
            plan.holder.encode(), plan.state, plan.taken_ms, plan.fence,
        )  # fmt: skip
        return _Attempt(local, self._cluster.lease if settings.checkpoints else None, lambda _: self._seat())

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
        return Seat(self._addresses, first, self._cluster.running)


def _setup(job: Job) -> dict[str, str]:
    """Return the settings that all hosts of a cluster must share."""
    settings = job.settings
    catalogue = blake2b(settings.catalogue.read_bytes(), digest_size=8).hexdigest()
    return {
        "hosts": settings.hosts or "",
        "processes": str(settings.processes),
        "source": str(job.source),
        "catalogue": catalogue,
        "population": settings.population,
        "checkpoints": settings.checkpoints or "none",
        **{name: str(value) for name, value in msgspec.structs.asdict(job.identity).items()},
    }


def _require_same_setup(members: Mapping[int, Member]) -> None:
    first = members[0].setup
    for number, member in members.items():
        for name, value in member.setup.items():
            if first.get(name) != value:
                raise HostError(
                    f"host {number} has {name} {value}, and host 0 has {first.get(name)}: give all the same"
                )


def _no_common_state(members: Mapping[int, Member]) -> str:
    without = [number for number, member in members.items() if not member.line]
    which = f"host {without[0]} has no state" if without else "the hosts have states that do not fit together"
    return (
        f"{which}, and the others cannot resume without it: restore the state folders of all hosts from one backup, or "
        "use --checkpoints, from which every host fetches what it lacks"
    )
