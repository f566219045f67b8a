"""Object storage in a live run: the lease, the cut to begin from, and the uploads."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event
from typing import NamedTuple

import structlog

from connectors.objects.probe import require_conditions
from dataflows.cuts.bucket import Bucket, cut_key, open_bucket, savepoint_key
from dataflows.cuts.cut import Cut
from dataflows.cuts.fence import Fence
from dataflows.cuts.fetch import fetch, foreign_state, require_same_state
from dataflows.cuts.local_cut import LocalCut, read_local_cut
from dataflows.cuts.process import UploadProcess
from dataflows.cuts.standby import kept_warm
from dataflows.cuts.uploads import UploadJob
from dataflows.holder import Holder
from dataflows.hosts.line import is_shared
from dataflows.job import Job
from dataflows.lease import Lease
from dataflows.observability.watch import STARTING, Watch
from dataflows.ownership import Ownership
from dataflows.runtime.stopping import Stop
from dataflows.state_folder import DESCRIPTION, FETCHING, RUN_LOCK, identity_problems
from state.errors import StateError
from tacit.errors import ConfigurationError

_log = structlog.get_logger(__name__)


class Start(NamedTuple):
    """State from which a run begins."""

    cut: Cut | None
    """Cut to fetch; None: the state folder, or nothing."""
    key: str
    """Key of its manifest; empty without a cut."""
    local: LocalCut
    """Memory of the folder then; the fencing number is that of the run."""


@contextmanager
def fenced(
    job: Job, ownership: Ownership, stop: Stop, watch: Watch, *, stands_by: bool = False
) -> Iterator[Bucket | None]:
    """Hold the URL of the settings, and yield its cuts; None without a URL, or after a stop request.

    With `stands_by`, the state folder follows the cuts of another cluster until that one ends.

    Args:
        job: the live run.
        ownership: hold on the namespace, which gets the fencing number and the lease.
        stop: stop request of the process.
        watch: watch over the run.

    Raises:
        ConfigurationError: the run has no state folder.
        OwnershipError: another cluster holds the URL.
        TacitError: the errors of `ObjectStore`.
    """
    settings = job.settings
    if settings.checkpoints is None:
        yield None
        return
    if settings.state is None:
        raise ConfigurationError(["checkpoints: needs a state folder, whose copies the cuts are; add --state DIR"])
    bucket = open_bucket(settings, stop.requested)
    watch.fail(STARTING, f"waits for the lease on {bucket.url}")
    require_conditions(bucket.store)
    holder = Holder.of_this_process(secrets.token_hex(4), settings.processes, settings.state / RUN_LOCK)
    lasting = open_bucket(settings).store  # a stop request must not end the release
    known = read_local_cut(settings.state).fence
    fence = Fence(lasting, holder, ownership.lose, taking=bucket.store, known=known)
    if not _take(fence, bucket, job, stop, watch, stands_by=stands_by):
        yield None
        return
    with fence:
        watch.fail(STARTING)
        ownership.fence, ownership.storage_lease = fence.number, fence.lease
        yield bucket


def _take(fence: Fence, bucket: Bucket, job: Job, stop: Stop, watch: Watch, *, stands_by: bool) -> bool:
    settings = job.settings
    if not stands_by or settings.state is None:
        return fence.take(stop.requested)
    if newest := bucket.newest():
        _require_identity(job, bucket, newest)
        require_same_state(bucket, newest, settings.state)
    watch.fail(STARTING, "stands by, and follows the cuts of another run")
    end = Event()
    with kept_warm(open_bucket(settings, end), settings.state, end):
        return fence.take(stop.requested, stands_by=True)


@contextmanager
def uploads(job: Job, folder: Path, local: LocalCut, lease: Lease, watch: Watch) -> Iterator[None]:
    """Upload the cuts of this host while the context lasts; its end in order makes a last one.

    Args:
        job: the live run.
        folder: its state folder.
        local: memory of the state folder, with the fencing number of the run.
        lease: lease on the URL.
        watch: watch over the run, which gets the counters of the cuts.
    """
    upload = UploadJob(job.settings, folder, local, lease, job.log_level, *job.share)
    with UploadProcess(upload, lambda counters: setattr(watch, "cuts", counters)) as process:
        yield
        if not lease.is_lost:
            process.finish()


@contextmanager
def cut_run(
    job: Job, savepoint: str | None, ownership: Ownership, stop: Stop, watch: Watch, *, stands_by: bool = False
) -> Iterator[None]:
    """Hold the URL, bring the state folder of a single host up to date, and upload cuts while the context lasts.

    Without a URL, the context does nothing. Errors are those of `fenced`, `choose_start` and `begin`.
    """
    with fenced(job, ownership, stop, watch, stands_by=stands_by) as bucket:
        folder = job.settings.state
        if bucket is None or folder is None:
            yield
            return
        fits = is_complete(folder) and not is_shared(folder)
        start = choose_start(job, bucket, folder, savepoint, ownership.fence, fits=fits)
        begin(job, bucket, folder, start)
        with uploads(job, folder, start.local, ownership.storage_lease, watch):
            yield


def choose_start(job: Job, bucket: Bucket, folder: Path, savepoint: str | None, fence: int, *, fits: bool) -> Start:
    """Return the state from which a run begins: a savepoint once, a newer cut, or the state folder.

    Args:
        job: the live run.
        bucket: cuts of the namespace.
        folder: state folder of this host.
        savepoint: savepoint to begin from; a state that began from it continues.
        fence: fencing number of the run.
        fits: True if the state folders of all hosts fit together and are complete.

    Raises:
        StateError: the folder is of another state, or a cut is damaged or was made for other settings.
    """
    newest, local = bucket.newest(), read_local_cut(folder)
    continues = fits and (newest is None or not _is_behind(bucket, folder, local, newest))
    chosen = bucket.savepoint(savepoint) if savepoint else None
    begun_from = f"{savepoint}@{chosen.text}" if chosen else local.begun_from
    number = newest.number if newest else 0
    begun = {newest.begun_from if newest else "", local.begun_from if continues else ""}
    if chosen and begun_from not in begun:
        _require_identity(job, bucket, chosen)
        _log.warning("savepoint.restored", savepoint=savepoint, cut=chosen.text, made_ms=chosen.made_ms)
        return Start(chosen, savepoint_key(str(savepoint)), LocalCut(fence, max(chosen.number, number), begun_from))
    if newest is not None:
        _require_identity(job, bucket, newest)
        if not continues:
            return Start(newest, cut_key(newest), LocalCut(fence, number, newest.begun_from))
    return Start(None, "", LocalCut(fence, number, local.begun_from))


def begin(job: Job, bucket: Bucket, folder: Path, start: Start) -> None:
    """Make a state folder that of the start.

    Raises:
        TacitError: the errors of `fetch`.
    """
    if start.cut is not None:
        fetch(bucket, start.cut, folder, job.share)
    start.local.write(folder)


def is_complete(folder: Path) -> bool:
    """Return True if a folder has a state, and no fetch of a cut was interrupted there."""
    return (folder / DESCRIPTION).exists() and not (folder / FETCHING).exists()


def _is_behind(bucket: Bucket, folder: Path, local: LocalCut, newest: Cut) -> bool:
    """Return True if the newest cut is of a later run, or of a later moment than the folder's last run knows.

    Raises:
        StateError: the folder has another state than the cuts, or never had one.
    """
    require_same_state(bucket, newest, folder)
    if not local.fence:
        raise foreign_state(bucket, folder)
    return newest.position > (local.fence, local.number)


def _require_identity(job: Job, bucket: Bucket, cut: Cut) -> None:
    if differences := identity_problems(cut.identity, job.identity):
        hint = (
            "; tacit state reshard changes the number of shards" if cut.identity.shards != job.identity.shards else ""
        )
        raise StateError(
            f"cut {cut.text} of {bucket.url} was made for {'; '.join(differences)}: run with that, or name another "
            f"URL or namespace{hint}"
        )
