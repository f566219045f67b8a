"""Take-over of a replay's state into the state folder of a live run.

1  the history's events of the seam, from one more read of it
2  Redis: signals and gates in the namespace of the live run, if the replay had another
3  copy of the replay's state, without its positions in another source
4  tacit.json, which makes the copy a state folder

The replay's folder stays as it is. A take-over that was interrupted begins again; the live run then resumes by itself,
so the same command serves every start.
"""

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import structlog

from connectors.files.remembered import INPUTS, Inputs, read_inputs
from connectors.kafka.address import Start
from connectors.kafka.offsets import look_up
from connectors.kafka.times import time_text
from dataflows.formats import parser_of
from dataflows.handover.history import History, history_settings
from dataflows.handover.seam_file import HandOver, read_hand_over, write_seam
from dataflows.hosts.line import require_whole
from dataflows.inspection import identity_of, inspect
from dataflows.job import Job
from dataflows.rebuild import rebuild
from dataflows.recovery_store import delete_positions
from dataflows.state_folder import (
    DESCRIPTION,
    RECOVERY,
    RUN_LOCK,
    SHARDS,
    Identity,
    exclusive,
    read_vocabulary,
    write_identity,
)
from state.catalogue.numbered import NumberedCatalogue
from state.counters import EventCounters
from state.durable import sync
from state.errors import SourceError, StateError
from state.storage.manifest import TABLE
from tacit.errors import ConfigurationError

HOUR_MS = 3_600_000
_GAP = (
    "start: {start} is after the newest event of the history, {newest}, so events between them may be missing; "
    "use an earlier time, as events of both count once"
)
_SHARED = ("shards", "region", "secret", "identity")
"""Members of an identity that a hand-over keeps."""

_log = structlog.get_logger(__name__)


def take_over(job: Job, replay: Path) -> None:
    """Make the state folder of a live run from that of a finished replay; no effect on a folder that was made so.

    Raises:
        ConfigurationError: the run keeps no state, or the start does not fit the history.
        StateError: the replay is not finished or does not fit the run, or the run has a state of its own.
    """
    target = job.settings.state
    if target is None:
        raise ConfigurationError(["from_replay: needs --state DIR, which takes the replay's state over"])
    if target.resolve() == replay.resolve():
        raise ConfigurationError(["from_replay: is the folder of --state; give the live run a folder of its own"])
    if (target / DESCRIPTION).exists():
        _require_taken_over(target, replay)
        return
    identity, inputs = _finished_replay(replay)
    _require_fit(job.identity, identity, replay)
    target.mkdir(parents=True, exist_ok=True)
    with exclusive(target), exclusive(replay):
        _take_over(job, replay, identity, inputs)


def resumed_from_hand_over(job: Job) -> Job:
    """Return the job with the start of its hand-over, if its folder has one; it counts before the first checkpoint."""
    known = read_hand_over(job.settings.state) if job.settings.state else None
    if known is None or not known.start:
        return job
    return replace(job, settings=replace(job.settings, start=known.start))


def _require_taken_over(target: Path, replay: Path) -> None:
    known = read_hand_over(target)
    if known is None or known.replay != str(replay.resolve()):
        raise StateError(
            f"the state folder {target} has a state that is not from {replay}: leave --from-replay out to resume it, "
            "or give a new folder"
        )


def _finished_replay(replay: Path) -> tuple[Identity, Inputs]:
    identity, inputs = identity_of(replay), read_inputs(replay)
    if inputs is None:
        raise StateError(f"the state folder {replay} is not from a replay; name the --state of a tacit replay")
    if not inputs.finished:
        raise StateError(f"the replay in {replay} has not ended; run the same tacit replay to its end first")
    require_whole(replay)
    if "users" in inputs.options:
        raise StateError(f"the replay in {replay} was of some users only; replay the history of all users")
    return identity, inputs


def _require_fit(run: Identity, replay: Identity, folder: Path) -> None:
    differences = [
        f"{name} {theirs!r}, not {ours!r}"
        for name in _SHARED
        if (theirs := getattr(replay, name)) != (ours := getattr(run, name))
    ]
    if differences:
        raise StateError(f"the replay in {folder} had {'; '.join(differences)}: run with that, or replay again")


def _take_over(job: Job, replay: Path, identity: Identity, inputs: Inputs) -> None:
    target = job.settings.state
    assert target is not None  # noqa: S101  # checked by the caller
    _delete_unfinished(target)
    is_same_topic = identity.source == job.source_name
    if is_same_topic and "start" in job.settings.given:
        raise ConfigurationError(["start: the replay of the same topic knows its offsets; leave --start out"])
    hand_over = HandOver(str(replay.resolve()))
    if not is_same_topic:
        hand_over = _write_seam(job, replay, inputs, target)
    if identity.namespace != job.settings.namespace:
        inspected = inspect(replay, NumberedCatalogue.load(job.settings.catalogue))
        rebuild(inspected, job.settings, job.settings.namespace, lambda _: None)
    _copy(replay, target)
    if not is_same_topic:
        delete_positions(target / RECOVERY)
    hand_over.write(target)
    write_identity(target, job.identity)
    _log.info("state.taken_over", start=hand_over.start or "offsets of the replay", seam_events=hand_over.events)


def _write_seam(job: Job, replay: Path, inputs: Inputs, target: Path) -> HandOver:
    """Write the events that the live run may read again, and return the hand-over with the start of the run."""
    settings = job.settings
    lateness_ms = round(settings.lateness * HOUR_MS)
    catalogue = NumberedCatalogue.load(settings.catalogue)
    numbered = catalogue.numbered(read_vocabulary(replay).including(catalogue))
    parser = parser_of(history_settings(inputs, settings), numbered, EventCounters())
    history = History(replay, inputs, settings, parser)
    history.require_unchanged()
    newest_ms = history.newest_ms()
    default = Start("timestamp", max(0, newest_ms - lateness_ms))
    start = Start.parse(settings.start) if "start" in settings.given else default
    start_ms = _start_ms(start)
    if settings.on_gap != "continue":
        _require_no_gap(job, start_ms, newest_ms)
    keys = np.fromiter(history.keys(max(0, start_ms - lateness_ms)), dtype=np.uint64)
    events = write_seam(target, keys)
    text = str(start_ms) if start.kind == "timestamp" else start.kind
    return HandOver(str(replay.resolve()), text, newest_ms, events)


def _require_no_gap(job: Job, start_ms: int, newest_ms: int) -> None:
    """Check that the topic's records begin where the history ends, or before."""
    if start_ms > newest_ms:
        raise ConfigurationError([_GAP.format(start=job.settings.start, newest=time_text(newest_ms))])
    for address in job.topics:
        held = look_up(address, Start("timestamp", newest_ms))
        if lost := [number for number, found in held.items() if found.begin > 0 and found.start <= found.begin]:
            raise SourceError(
                f"{address}: of partition {lost[0]}, Kafka has deleted the records up to the newest event of the "
                f"history, {time_text(newest_ms)}, and perhaps later ones; replay a history that ends later"
            )


def _start_ms(start: Start) -> int:
    if start.kind == "offset":
        raise ConfigurationError(["start: an offset does not show which events of the history it repeats; use a time"])
    if start.kind == "timestamp":
        return start.number
    return 0 if start.kind == "earliest" else time.time_ns() // 1_000_000


def _delete_unfinished(target: Path) -> None:
    """Delete a copy that a crash interrupted; a folder without tacit.json is no state folder."""
    for path in target.iterdir():
        if path.name in {RECOVERY, SHARDS}:
            shutil.rmtree(path)


def _copy(replay: Path, target: Path) -> None:
    """Copy a state folder but its description; RocksDB never changes a table, so a link is enough for one."""
    for path in _state_files(replay):
        copy = target / path.relative_to(replay)
        copy.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == TABLE and _linked(path, copy):
            continue
        shutil.copyfile(path, copy)
        sync(copy)
    for folder in (target, *(path for path in target.rglob("*") if path.is_dir())):
        sync(folder)


def _state_files(replay: Path) -> Iterator[Path]:
    for path in replay.iterdir():
        if path.name in {RECOVERY, SHARDS}:
            yield from (found for found in path.rglob("*") if found.is_file() and not _is_work(found.relative_to(path)))
        elif path.is_file() and path.name not in {RUN_LOCK, DESCRIPTION, INPUTS}:
            yield path


def _is_work(path: Path) -> bool:
    return any(part.startswith("work-") for part in path.parts)


def _linked(path: Path, copy: Path) -> bool:
    try:
        os.link(path, copy)
    except OSError:  # another file system
        return False
    return True
