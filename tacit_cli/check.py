"""Checks of everything that a worker needs, each with its problem and a remedy."""

import os
from pathlib import Path
from tempfile import TemporaryFile
from threading import Event

from connectors.files.source import FileSource
from connectors.kafka.address import Start, TopicAddress
from connectors.kafka.offsets import look_up
from connectors.redis.health import redis_problems
from dataflows.job import Job, parse_source
from dataflows.outputs import refuse_outputs_in
from dataflows.population_run import build_challengers
from dataflows.settings import Settings
from dataflows.state_folder import DESCRIPTION, identity_differences
from state.catalogue.numbered import NumberedCatalogue
from state.counters import SourceCounters
from state.row.form import COMPILED
from tacit.errors import TacitError
from tacit_cli.check_history import check_history
from tacit_cli.finding import Finding, find


def check_all(settings: Settings, source: str | None) -> list[Finding]:
    """Run all checks; a failed one is a finding, not an error. Those of history come last."""
    findings = [
        find("core", _core),
        find("catalogue", lambda: _catalogue(settings)),
        find("redis", lambda: _redis(settings)),
        find("rejects", lambda: _rejects(settings.rejects)),
        find("control rejects", lambda: _rejects(settings.control_rejects_to)),
    ]
    if settings.challenger:
        findings.append(find("challengers", lambda: _challengers(settings)))
    if settings.state is not None:
        findings.append(find("state folder", lambda: _folder(settings, source)))
    if source is not None:
        findings.append(find("source", lambda: _source(source)))
        findings.append(find("outputs", lambda: _outputs(source, settings)))
    return [*findings, *check_history(settings, source, findings)]


def _core() -> tuple[str, bool]:
    if COMPILED:
        return "runs compiled", False
    return "runs uncompiled, many times slower: install a C compiler and the headers of Python, then Tacit again", True


def _catalogue(settings: Settings) -> str:
    catalogue = NumberedCatalogue.load(settings.catalogue)
    return (
        f"{len(catalogue.facets)} facets, {len(catalogue.slots)} values, {len(catalogue.topics.values)} topics "
        f"({len(catalogue.topics.sensitive)} sensitive), {len(catalogue.feedback)} feedback kinds, "
        f"consent {catalogue.consent.default}{', user ids folded' if catalogue.identity == 'casefold' else ''}"
    )


def _challengers(settings: Settings) -> str:
    build_challengers(settings)
    return f"{', '.join(settings.challenger)}, on {settings.challenger_share:.0%} of the users"


def _redis(settings: Settings) -> str:
    if problems := redis_problems(settings.redis, settings.region):
        raise TacitError("; ".join(problems))
    return f"answers, does not evict, takes writes for region {settings.region}"


def _rejects(rejects: str) -> str:
    if rejects.startswith("kafka:"):
        return _topic(TopicAddress.parse(rejects))
    file = Path(rejects).absolute()
    if file.is_dir():
        raise TacitError(f"{file} is a folder; use the path of a file")
    return _writable(file.parent)


def _folder(settings: Settings, source: str | None) -> str:
    folder = settings.state or Path()
    if (folder / DESCRIPTION).exists():
        job = Job(settings, parse_source([source]) if source else (), bounded=False)
        found = [
            text for text in identity_differences(folder, job.identity) if source or not text.startswith("source ")
        ]
        if found:
            raise TacitError(f"{folder} was made for {'; '.join(found)}; use that setting, or another folder")
    return _writable(next(path for path in (folder, *folder.absolute().parents) if path.exists()))


def _writable(folder: Path) -> str:
    if not folder.is_dir():
        raise TacitError(f"{folder} is not a folder; create it, or use another")
    try:
        TemporaryFile(dir=folder).close()
    except OSError as error:
        raise TacitError(f"{folder} cannot be written: {error.strerror}; make it writable, or use another") from error
    free = os.statvfs(folder)
    return f"{folder} is writable, {free.f_bavail * free.f_frsize / 2**30:.1f} GiB free"


def _source(source: str) -> str:
    parsed = parse_source([source])
    if isinstance(parsed, TopicAddress):
        return _topic(parsed)
    FileSource(parsed, stop=Event(), counters=SourceCounters())
    size = sum(file.stat().st_size for file in parsed)
    name = str(parsed[0]) if len(parsed) == 1 else f"{len(parsed)} files in {source}"
    return f"{name}, {size / 2**20:.1f} MiB"


def _outputs(source: str, settings: Settings) -> str:
    refuse_outputs_in([source], settings)
    return "none is in the source"


def _topic(address: TopicAddress) -> str:
    ranges = look_up(address, Start("earliest")).values()
    return f"{address}: {len(ranges)} partitions, {sum(held.end - held.begin for held in ranges):,} records"
