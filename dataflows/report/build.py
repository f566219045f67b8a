"""Report of a replay, built from its parts, its account and its state folder."""

import hashlib
from contextlib import closing
from pathlib import Path
from time import time_ns

from connectors.population.file_store import FILE_NAME
from dataflows.job import Job
from dataflows.population_run import population_store
from dataflows.report.document import Changes, Counts, Model, Rejected, Report
from dataflows.report.inputs import inputs_of
from dataflows.report.parts import Parts
from state.account import Account
from state.counters import Counters, Outcome
from state.errors import SinkError, StateError
from state.events.records import Reason
from state.learning.population_version import encode_version

SCHEMA = 1


def report_of(job: Job, parts: Parts, changes: Changes) -> Report:
    """Return the report after the last part.

    Raises:
        StateError: the counts of an orderly end do not add up.
    """
    counters, settings = parts.counters, job.settings
    account = counters.account or Account()
    result = parts.current.result
    wall_s, cpu_s = (round(sum(getattr(part, name) for part in parts.all), 3) for name in ("wall_s", "cpu_s"))
    return Report(
        schema=SCHEMA,
        made_ms=time_ns() // 1_000_000,
        result=result,
        is_dry=job.is_dry,
        region=settings.region,
        namespace=settings.namespace,
        inputs=inputs_of(job, account.ranges),
        counts=_counts(account, is_orderly=result in {"complete", "stopped"}),
        rejects=_rejects(account),
        oldest_event_ms=account.oldest_ms,
        newest_event_ms=account.newest_ms,
        users=counters.events.users,
        model=_model(job, counters),
        parts=list(parts.all),
        wall_s=wall_s,
        cpu_s=cpu_s,
        cpu_us_per_record=round(cpu_s / account.records * 1e6, 1) if account.records else None,
        changes=changes,
    )


def _counts(account: Account, *, is_orderly: bool) -> Counts:
    unexplained = account.records - account.explained
    if is_orderly and unexplained:
        raise StateError(
            f"report: {account.records:,} records were read and {account.explained:,} are explained; this is an error "
            "of Tacit: keep the state folder, and report it"
        )
    return Counts(
        account.records,
        {str(outcome): account.outcomes.get(outcome, 0) for outcome in Outcome},
        sum(account.rejected.values()),
        sum(account.control_rejected.values()),
        unexplained,
    )


def _rejects(account: Account) -> list[Rejected]:
    counts = {r: account.rejected.get(r, 0) + account.control_rejected.get(r, 0) for r in Reason}
    return [
        Rejected(str(r), count, [str(place) for place in account.places.get(r, ())])
        for r, count in counts.items()
        if count
    ]


def _model(job: Job, counters: Counters) -> Model:
    settings = job.settings
    return Model(
        str(settings.catalogue),
        _sha256(settings.catalogue) or "",
        settings.population,
        settings.population_version or counters.learning.version,
        _version_sum(job, counters.learning.version),
        settings.challenger,
        settings.lateness,
        settings.shards,
    )


def _version_sum(job: Job, number: int) -> str | None:
    """Return the hash of the newest version; its file may be on another host, and its text is in Redis, too."""
    settings = job.settings
    held = _sha256(settings.state / FILE_NAME) if settings.state else None
    if held or not job.on_hosts:
        return held
    try:
        with closing(population_store(settings, settings.region, settings.namespace)) as store:
            version = store.newest()
    except SinkError:
        return None
    return hashlib.sha256(encode_version(version)).hexdigest() if version and version.n == number else None


def _sha256(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
