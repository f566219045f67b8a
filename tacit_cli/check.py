"""Checks of everything that a worker needs, each with its problem and a remedy."""

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryFile
from threading import Event

from connectors.event_log.lines import Position, require_same
from connectors.files.paths import event_files
from connectors.files.source import FileSource
from connectors.kafka.address import Start, TopicAddress
from connectors.kafka.offsets import look_up
from connectors.kafka.resumption import require_no_gap
from connectors.kafka.topic_admin import look_at
from connectors.objects.probe import require_conditions
from connectors.redis.health import redis_problems
from connectors.schema_registry.address import RegistryAddress
from dataflows.cuts.bucket import open_bucket
from dataflows.formats import check_registry
from dataflows.job import Job, Topics, follows_log, parse_source
from dataflows.outputs import refuse_outputs_in
from dataflows.ownership import namespace_problem
from dataflows.population_run import build_challengers
from dataflows.saved_positions import saved_positions
from dataflows.settings import Settings
from dataflows.state_folder import DESCRIPTION, identity_differences, is_in_use, read_identity
from state.catalogue.numbered import NumberedCatalogue
from state.counters import SourceCounters
from state.errors import GapError
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
        find("rejects", lambda: _rejects(settings.rejects, settings)),
        find("control rejects", lambda: _rejects(settings.control_rejects_to, settings)),
    ]
    if settings.cautions:
        findings.append(find("settings", lambda: ("; ".join(settings.cautions), True)))
    if address := settings.registry:
        findings.append(find("schema registry", lambda: _registry(address)))
    if settings.checkpoints is not None:
        findings.append(find("object storage", lambda: _object_storage(settings)))
    if source is not None and findings[2].ok:
        findings.append(find("namespace", lambda: _namespace(settings, source)))
    if settings.challenger:
        findings.append(find("challengers", lambda: _challengers(settings)))
    if settings.state is not None:
        findings.append(find("state folder", lambda: _folder(settings, source)))
    if source is not None:
        findings.append(find("source", lambda: _source(source, settings)))
        if findings[-1].ok:
            findings.append(find("outputs", lambda: _outputs(source, settings)))
            if _has_state(settings) and _is_good("state folder", findings):
                findings.append(find("positions", lambda: _positions(source, settings)))
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


def _registry(address: RegistryAddress) -> str:
    check_registry(address)
    return f"{address} answers"


def _object_storage(settings: Settings) -> str:
    bucket = open_bucket(settings)
    require_conditions(bucket.store)
    newest = bucket.newest()
    made = f"the newest cut is {newest.text}" if newest else "there is no cut yet"
    return f"{bucket.url} takes conditional writes; {made}"


def _namespace(settings: Settings, source: str) -> str:
    is_topic = source.startswith("kafka:")
    files = event_files([source]) if _follows(settings) and not is_topic else ()
    job = Job(settings, settings.topic(source) if is_topic else files, bounded=not is_topic and not files)
    if problem := namespace_problem(job):
        raise TacitError(problem)
    return f"{settings.namespace} has the secret and the state of this run, and no other live run"


def _rejects(rejects: str, settings: Settings) -> str | tuple[str, bool]:
    if rejects.startswith("kafka:"):
        return _topic(settings.topic(rejects))
    file = Path(rejects).absolute()
    if file.is_dir():
        raise TacitError(f"{file} is a folder; use the path of a file")
    return _writable(file.parent)


def _folder(settings: Settings, source: str | None) -> str:
    folder = settings.state or Path()
    if (folder / DESCRIPTION).exists():
        parsed = parse_source([source], settings.kafka) if source else ()
        job = Job(settings, parsed, bounded=not _follows(settings))
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


def _source(source: str, settings: Settings) -> str | tuple[str, bool]:
    parsed = parse_source([source], settings.kafka)
    if isinstance(parsed, TopicAddress):
        return _topic(parsed)
    if isinstance(parsed, Topics):
        raise TacitError("check takes one topic; check each of several")
    FileSource(parsed, stop=Event(), counters=SourceCounters())
    size = sum(file.stat().st_size for file in parsed)
    name = str(parsed[0]) if len(parsed) == 1 else f"{len(parsed)} files in {source}"
    return f"{name}, {size / 2**20:.1f} MiB"


def _has_state(settings: Settings) -> bool:
    return settings.state is not None and (settings.state / DESCRIPTION).exists()


def _follows(settings: Settings) -> bool:
    """Return whether the state folder is of a run that follows a log."""
    return _has_state(settings) and follows_log(read_identity(settings.state or Path()))


def _is_good(what: str, findings: Sequence[Finding]) -> bool:
    return any(finding.ok for finding in findings if finding.what == what)


def _positions(source: str, settings: Settings) -> str | tuple[str, bool]:
    """Compare the positions of the state folder with the topic, as the next run does."""
    parsed, folder = parse_source([source], settings.kafka), settings.state or Path()
    if not isinstance(parsed, TopicAddress) and not _follows(settings):
        return "files have positions of their own, which the replay compares"
    if is_in_use(folder):
        return f"a run uses {folder}, and compares its positions itself"
    saved = saved_positions(folder)
    if not isinstance(parsed, TopicAddress):
        for position in saved.values():
            require_same(Path(source), Position(*position))
        return f"{source} has everything up to the position of {folder}"
    try:
        require_no_gap(parsed, saved)
    except GapError as error:
        if settings.on_gap == "stop":
            raise
        return str(error), True
    return f"{parsed} has every record behind the {len(saved)} positions of {folder}"


def _outputs(source: str, settings: Settings) -> str:
    refuse_outputs_in([source], settings)
    return "none is in the source"


def _topic(address: TopicAddress) -> tuple[str, bool]:
    ranges = look_up(address, Start("earliest")).values()
    held = look_at(address).held_text
    text = f"{address}: {len(ranges)} partitions, {sum(each.end - each.begin for each in ranges):,} records"
    return (f"{text}; {held}", True) if held else (text, False)
