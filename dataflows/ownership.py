"""Start of a run in its namespace: the secret, the state folder and the owner in Redis must fit the run.

Without the state behind the signals, a run would replace results of much feedback by results of little.
"""

import secrets
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from time import monotonic
from typing import NamedTuple

import structlog

from connectors.kafka.address import Start
from connectors.redis.client import RETRY_FOR_S, RedisClient
from connectors.redis.fillings import Filling
from connectors.redis.ownership import LEASE_MS, OWNERSHIP_SCRIPTS, Held, Names, NamespaceOwner, Owner
from connectors.redis.target import Mode
from dataflows.holder import Holder, lock_identity
from dataflows.job import Job
from dataflows.known_redis import missing_signals, note_redis
from dataflows.lease import Lease, now_s
from dataflows.observability.watch import FLUSHED, LEASE_LOST, STARTING, Watch
from dataflows.restoring import Loss
from dataflows.runtime.stopping import Stop
from dataflows.settings import Settings
from dataflows.state_folder import RUN_LOCK, StateFolder, has_no_users, read_folder_id
from state.errors import OwnershipError, SinkError
from tacit.contract.keys import RegionKeys
from tacit.contract.pseudonyms import fingerprint
from tacit.errors import TacitError

_LOOK_EVERY_S = 1.0

Permit = Callable[[], object]
"""Function that a process calls before each batch of writes; an error forbids the batch."""


class Hold(NamedTuple):
    """A run's hold on its namespace, as each process of the run sees it."""

    permit: Permit
    loss: Callable[[], int]
    """Returns the number of the loss of data after which Redis is not whole yet; 0 for none."""


_log = structlog.get_logger(__name__)


def namespace_owner(
    settings: Settings, region: str, namespace: str, *, retry_for_s: float | None = None
) -> NamespaceOwner:
    """Return the owner of a namespace, with a connection of its own."""
    retry_for_s = RETRY_FOR_S if retry_for_s is None else retry_for_s
    client = RedisClient(settings.redis, scripts=OWNERSHIP_SCRIPTS, retry_for_s=retry_for_s)
    return NamespaceOwner(client, RegionKeys(region), namespace)


def state_problem(job: Job, owner: Owner, *, is_registered: bool, folder_id: str, is_empty: bool) -> str | None:
    """Return the problem of a live run without the state behind the signals of its namespace.

    Args:
        job: the live run.
        owner: stored owner of the namespace.
        is_registered: True if a writer has used the namespace.
        folder_id: id of the state folder; empty for none.
        is_empty: True if the folder has no users, or there is none.
    """
    if not is_registered or (owner.state == folder_id != ""):
        return None
    if owner.state is None and not is_empty:  # from before Redis kept the owner
        return None
    namespace, adopt = job.settings.namespace, "pass --adopt to continue with less than was learned"
    if not is_empty:
        return (
            f"the signals of namespace {namespace} come from another state folder than {job.settings.state}: "
            f"restore that folder, name another namespace, or {adopt}"
        )
    if _reads_history(job):
        return None
    return (
        f"namespace {namespace} has signals, and this run starts without their state: new signals would replace what "
        "was learned by what little feedback teaches. Restore the state folder, read the history by --start, replay "
        f"it into the folder first, or {adopt}"
    )


def _reads_history(job: Job) -> bool:
    """Return True if the operator chose a start from which a new state is learned again."""
    return "start" in job.settings.given and Start.parse(job.settings.start).kind != "latest"


def namespace_problem(job: Job) -> str | None:
    """Return the problem with the namespace that a start would have now, for `tacit check`; change nothing.

    Raises:
        SinkError: as `RedisClient.deliver`.
    """
    settings = job.settings
    folder = settings.state or Path()
    lock = lock_identity(folder / RUN_LOCK) if settings.state else ""
    with closing(namespace_owner(settings, settings.region, settings.namespace, retry_for_s=0.0)) as store:
        if problem := store.secret.problem(fingerprint(settings.secret_bytes)):
            return problem
        if job.bounded:
            return None
        owner, registered = store.read(), settings.namespace in store.namespaces()
    holder = Holder.decode(owner.run)
    if owner.left_ms and not (holder and (holder.has_ended("") or holder.uses(lock))):
        return _held_by(settings, owner.run)
    return state_problem(
        job,
        owner,
        is_registered=registered,
        folder_id=read_folder_id(folder) if settings.state else "",
        is_empty=not settings.state or has_no_users(folder),
    )


def _held_by(settings: Settings, run: bytes) -> str:
    holder = Holder.decode(run) or "an unknown run"
    return (
        f"namespace {settings.namespace} of region {settings.region} is held by {holder}: stop that run, "
        "or give this one another namespace"
    )


class HistoryClaim:
    """Permit of a replay: its first write claims the namespace.

    The namespace gets the secret, the mark of a filling that has not ended and, if it is new, the state folder.
    """

    def __init__(self, job: Job, filling: Filling) -> None:
        self._job = job
        self._filling = filling
        self._is_done = False

    def __call__(self) -> None:
        """Claim the namespace before the first batch."""
        settings = self._job.settings
        if not self._is_done:
            with closing(namespace_owner(settings, settings.region, settings.namespace)) as store:
                store.secret.keep(fingerprint(settings.secret_bytes))
                self._claim(store)
            self._is_done = True

    def _claim(self, store: NamespaceOwner) -> None:
        """Store the state folder of the replay with a namespace that is new, or that only replays fill.

        A replay that only fills gaps in the signals of another state leaves no mark: they are not a part of a history.
        """
        namespace, state = self._job.settings.namespace, self._filling.state
        owner, is_registered = store.read(), namespace in store.namespaces()
        is_ours = owner.state == state and not owner.run
        if is_registered and not is_ours and self._job.target().mode is Mode.FILL:
            return
        is_lost = not is_registered or owner.state not in {None, state}
        store.fillings.begin(self._filling, is_rest=self._filling.continues and is_lost)
        if not is_ours and not owner.run:
            if is_registered and owner.state is not None:
                _log.warning("namespace.replaced", namespace=namespace, **store.contents())
            store.claim(state)


class Ownership:
    """A run's hold on its namespace: checked at the first start, kept over restarts within the process.

    Args:
        job: the run.
        stop: stop request, which ends a wait, and which the loss of the namespace makes.
        watch: watch over the run, which shows a wait.
    """

    def __init__(self, job: Job, stop: Stop, watch: Watch) -> None:
        self.job = job
        self._watch = watch
        self._name = secrets.token_hex(4)
        self.lease = Lease()
        self.loss = Loss()
        self.fence = 0
        """Fencing number of the run in object storage; 0 without one."""
        self.storage_lease = Lease()
        """Lease on the object storage."""
        self.problem = ""
        """Reason for which the run lost its namespace."""
        self.run = b""
        """The run as JSON; empty before it holds the namespace, and for a bounded run."""
        self.taken_ms = 0
        """Time at which the run took the namespace, by the clock of Redis."""
        self.instances = frozenset[str]()
        """Run ids of the Redis servers that the run has seen."""
        self.missing = ""
        """Reason for which Redis may lack signals of the state folder at the start; empty for none."""
        self.marks: tuple[str, ...] = ()
        """Marks of fillings in the namespace, which end when the run has caught up."""
        self._is_new = False
        self.names = Names()
        """Names of the region at the hold."""
        self.state = ""
        """Id of the state folder; empty for none."""
        self._stop = stop

    def hold(self, filling: Filling | None) -> Hold:
        """Return the hold on the namespace in each process; a replay has a filling, and a dry run writes nothing."""
        if filling is not None:
            return Hold(HistoryClaim(self.job, filling), self.loss)
        return Hold(partial(self.lease.require, self.job.target().retry_for_s), self.loss)

    def end_filling(self, filling: Filling) -> None:
        """Note that a replay has filled the namespace.

        Raises:
            SinkError: as `RedisClient.deliver`.
        """
        settings = self.job.settings
        with closing(namespace_owner(settings, settings.region, settings.namespace)) as store:
            store.fillings.end(filling)

    def begin(self, folder: StateFolder | None) -> None:
        """Check that the run may write, and take the lease of a live run; a repeated call has no effect.

        After a stop request, which ends every wait, the run may not hold the namespace.

        Raises:
            OwnershipError: the secret, the state folder or another live run forbids it.
            SinkError: as `RedisClient.deliver`.
        """
        if self.run or self.job.is_dry:  # a dry run does not even leave the fingerprint of its secret
            return
        until_s = monotonic() + RETRY_FOR_S
        while not self._stop.requested.is_set():
            try:
                self._begin(folder)
            except SinkError:
                if monotonic() > until_s:
                    raise
                self._stop.requested.wait(_LOOK_EVERY_S)
            else:
                return

    def _begin(self, folder: StateFolder | None) -> None:
        settings = self.job.settings
        with closing(namespace_owner(settings, settings.region, settings.namespace, retry_for_s=0.0)) as store:
            store.secret.require(fingerprint(settings.secret_bytes))
            self.state = folder.id if folder else ""
            self.instances = store.instances()
            if self.job.bounded:
                if folder and folder.is_empty:  # all of its signals will be in this Redis
                    note_redis(folder.path, self.instances, 0)
                return
            owner, self.names = store.read(), store.names()
            is_registered = settings.namespace in self.names.namespaces
            self._is_new = not is_registered
            self._check_state(store, folder, owner, is_registered=is_registered)
            if folder and not folder.is_empty:
                self.missing = self.missing or missing_signals(
                    folder.path, folder.id, owner, self.instances, is_registered=is_registered
                )
            if self.missing:  # before the take, which makes the owner that of this folder
                store.begin_restoration()
            self._take(store, lock_identity(folder.lock) if folder else "", folder)

    def _check_state(
        self, store: NamespaceOwner, folder: StateFolder | None, owner: Owner, *, is_registered: bool
    ) -> None:
        problem = state_problem(
            self.job,
            owner,
            is_registered=is_registered,
            folder_id=self.state,
            is_empty=folder is None or folder.is_empty,
        )
        if problem and not self.job.adopts:
            raise OwnershipError(problem)
        if problem:
            _log.warning("namespace.adopted", namespace=self.job.settings.namespace, **store.contents())

    def _take(self, store: NamespaceOwner, lock: str, folder: StateFolder | None) -> None:
        processes, path = self.job.settings.processes, folder.lock if folder else None
        holder = Holder.of_this_process(self._name, processes, path, self.fence)
        run, began_s = holder.encode(), now_s()
        held = store.take(run, self.state)
        if held.other and (other := Holder.decode(held.other)) and self._may_replace(other, lock):
            held = store.take(run, self.state, instead_of=held.other)
        if held.other:
            waited = self._wait_for_end(store, run, held)
            if waited is None:
                return
            began_s, held = waited
        self.taken_ms = held.taken_ms
        if self.missing or store.is_restoring:
            self._watch.fail(FLUSHED, self.missing)  # until the keeper has ended the restoration
        else:
            self.note_redis()
        store.secret.keep(fingerprint(self.job.settings.secret_bytes))
        self.marks = store.fillings.take_live(is_new=self._is_new)
        self.lease.extend(began_s + LEASE_MS / 1000)
        self.run = run  # from here on, the keeper looks after the namespace

    def _may_replace(self, other: Holder, lock: str) -> bool:
        """Return True for a run that has ended, or that lost its lease in object storage to this one.

        The states are of one line, as `_check_state` found, so that the fencing numbers compare.
        """
        return other.has_ended(lock) or 0 < other.fence < self.fence

    def _wait_for_end(self, store: NamespaceOwner, run: bytes, held: Held) -> tuple[float, Held] | None:
        """Wait until another run's lease has ended, and return time and result of the take; a renewal shows it runs.

        A stop request ends the wait, and the result is None.
        """
        other, settings = Holder.decode(held.other), self.job.settings
        if other is not None and other.runs_here:
            raise OwnershipError(_held_by(settings, held.other))
        _log.warning("namespace.waiting", holder=str(other), at_most_s=round(held.left_ms / 1000))
        self._watch.fail(STARTING, f"waits for the end of the lease of {other}")
        while not self._stop.requested.wait(_LOOK_EVERY_S):
            began_s, before = now_s(), held
            held = store.take(run, self.state)
            if not held.other:
                self._watch.fail(STARTING)
                return began_s, held
            if held.other != before.other or held.left_ms > before.left_ms:
                raise OwnershipError(_held_by(settings, held.other))
        return None

    def lose(self, problem: str) -> None:
        """Note that another run has the namespace or its object storage: this run writes nothing more, and stops."""
        self.problem = problem
        self.lease.lose()
        self._watch.fail(LEASE_LOST, problem)
        _log.error("namespace.lost", problem=problem)
        self._stop.request()

    def note_redis(self) -> None:
        """Note with the state folder that all of its signals are in the Redis of now."""
        if self.job.settings.state:
            note_redis(self.job.settings.state, self.instances, self.taken_ms)

    def follows(self, held: Held) -> bool:
        """Return True if another run took the namespace before this one, so that Redis has data from before this run.

        Only the clock of Redis counts: the clock of a host may be wrong.
        """
        return 0 < held.taken_ms < self.taken_ms

    def end(self) -> None:
        """Release the lease; without Redis, the lease ends by itself."""
        if self.run and not self.lease.is_lost:
            settings = self.job.settings
            with closing(namespace_owner(settings, settings.region, settings.namespace, retry_for_s=0.0)) as store:
                _unless_redis_fails(lambda: store.release(self.run))


def _unless_redis_fails(call: Callable[[], object]) -> None:
    try:
        call()
    except TacitError as error:
        _log.warning("namespace.release_failed", error=str(error))
