"""Inputs of a replay: compared with those that its state folder remembers, before the first record."""

from collections.abc import Iterator
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

from connectors.files.remembered import FileInput, Inputs, difference, read_inputs, write_inputs
from connectors.kafka.offsets import OffsetRange, look_up
from connectors.redis.fillings import Filling
from dataflows.empty_range import require_interactions
from dataflows.job import Job, Ranges
from dataflows.result_settings import result_settings, setting_differences
from dataflows.selection import Selection
from dataflows.state_folder import StateFolder, identity_differences
from state.account import Account
from state.counters import Counters
from state.errors import SourceError, StateError

_REMEDY = "pass the same files in the same order, or start over with --again"

_SAME_OPTIONS = "give the same, or start over with --again"


def begin_inputs(job: Job, folder: StateFolder | None) -> Job:
    """Compare a replay's inputs and settings with those of an earlier start, or remember them at the first start.

    The returned job reads each topic up to the end that it had at the first start, also after a kill before the first
    checkpoint, and in each process; a job that has the ranges keeps them. Its filling shows whether inputs were added
    after an earlier end.

    Raises:
        StateError: an input, or a setting that decides about the result, differs from the earlier start's.
        SourceError: the range of a first start has no record.
    """
    if not job.bounded:
        return job
    known = read_inputs(folder.path) if folder else None
    if known is None:
        known = Inputs([])
    elif problems := list(_differences(job, known)):
        raise StateError(f"the state folder {job.settings.state} has another replay: {'; '.join(problems)}")
    elif _has_grown(job, known):
        known.in_several_goes = True
    if job.topics:
        ranges = {name: dict(found) for name, found in job.ranges.items()} or _ranges(job, known.ranges)
        known.in_several_goes |= bool(known.ranges) and _partitions(ranges) != _partitions(known.ranges)
        known.ranges = ranges
    job = replace(job, ranges=known.ranges, filling=_filling(job, folder, known))
    if folder:
        known.names, known.options, known.finished = _names(job), job.selection.options(), False
        known.settings = result_settings(job.settings)
        write_inputs(folder.path, known)
    return job


def is_repeated(job: Job, folder: Path, ranges: Ranges) -> bool:
    """Return whether a replay of topics is the one in its state folder, without partitions beyond these ranges.

    Raises:
        StateError: the folder is damaged.
        SourceError: Kafka does not answer, or a topic is missing.
    """
    known = read_inputs(folder)
    if known is None or identity_differences(folder, job.identity) or any(_differences(job, known)):
        return False
    return _partitions(_ranges(job, ranges)) == _partitions(ranges)


def finish_inputs(job: Job, folder: StateFolder | None, counters: Counters) -> None:
    """Remember that a replay has read its inputs to their end.

    Raises:
        SourceError: files have no interaction in the range, which only their end shows.
    """
    if job.bounded and not counters.stopped:
        require_interactions(job, counters.account or Account())
    if job.bounded and folder and not counters.stopped and (known := read_inputs(folder.path)):
        known.finished = True
        write_inputs(folder.path, known)


def _names(job: Job) -> list[str]:
    return [address.topic for address in job.topics] or [path.name for path in job.files]


def _filling(job: Job, folder: StateFolder | None, known: Inputs) -> Filling | None:
    if job.is_dry:
        return None
    places = [*map(str, job.topics), *(str(path.resolve()) for path in job.files)]
    parts = [*places, *(f"{name}={text}" for name, text in sorted(job.selection.options().items()))]
    inputs = sha256("\0".join(parts).encode(errors="surrogateescape")).hexdigest()[:16]
    continues = job.resumes or (folder is not None and not folder.is_empty)
    return Filling(folder.id if folder else "", inputs, "several" if known.in_several_goes else "one", continues)


def _has_grown(job: Job, known: Inputs) -> bool:
    """Return whether files have more to read after an earlier end."""
    if not known.files or not (known.ended or known.finished):
        return False
    return len(job.files) > len(known.names) or job.files[-1].stat().st_size > known.files[-1].bytes


def _partitions(ranges: Ranges) -> set[tuple[str, int]]:
    return {(name, number) for name, partitions in ranges.items() for number in partitions}


def _differences(job: Job, known: Inputs) -> Iterator[str]:
    options, settings = job.selection.options(), result_settings(job.settings)
    if known.options.get("users") != options.get("users"):
        del settings["population"]  # follows from the users
    yield from (f"{text}; {_SAME_OPTIONS}" for text in setting_differences(known.settings, settings))
    for name in sorted(known.options.keys() | options.keys()):
        before, now = known.options.get(name), options.get(name)
        if before != now and name == "users":
            yield f"the replay was of {'other' if before else 'all'} users; {_SAME_OPTIONS}"
        elif before != now:
            yield f"--{name} was {before or 'not given'}, and is {now or 'not given'} now; {_SAME_OPTIONS}"
    if job.files:
        yield from _file_differences(job, known)
    elif _names(job) != known.names:
        yield f"the topics were {', '.join(known.names)}, in this order; {_SAME_OPTIONS}"


def _file_differences(job: Job, known: Inputs) -> Iterator[str]:
    paths, names = job.files, known.names
    for index, (path, file) in enumerate(zip(paths, known.files, strict=False)):
        if text := difference(file, path, may_grow=index == len(known.files) - 1):
            yield _explained(index, path, text, known.files)
            return
    if missing := names[len(paths) :]:
        yield f"{missing[0]} was file number {len(paths) + 1}, and is not given; {_REMEDY}"
        return
    read = len(known.files)
    for name, path in zip(names[read:], paths[read:], strict=False):
        if name != path.name:
            yield f"{name} was to come where {path} is now; {_REMEDY}"
            return
    if (further := paths[len(names) :]) and not job.adds_files:
        yield (
            f"{further[0]} is further, after {names[-1]}; add further files at the end by --add-files, or start over "
            "with --again"
        )


def _explained(index: int, path: Path, text: str, files: list[FileInput]) -> str:
    """Return the difference of a file; if the file is known by another number, that number."""
    for other, file in enumerate(files):
        if other != index and not difference(file, path, may_grow=False):
            return f"{path} was file number {other + 1}, and is number {index + 1} now; {_REMEDY}"
    if files[index].path != str(path):
        return f"{path} is file number {index + 1} in place of {files[index].path}; {_REMEDY}"
    return f"{path} {text}; {_REMEDY}"


def _ranges(job: Job, known: Ranges) -> dict[str, dict[int, tuple[int, int]]]:
    """Return the offsets to read of each topic: those of the first start, and of partitions that are new since."""
    selection = job.selection
    held = {str(address): look_up(address, selection.start, selection.to) for address in job.topics}
    for name, partitions in held.items():
        for number, found in partitions.items():
            if not known and found.stop is not None and found.stop > found.end:
                raise SourceError(
                    f"{name}, partition {number}: --to is offset {found.stop}, behind the end {found.end}; "
                    "use a lower offset, or leave --to out"
                )
    ranges = {
        name: {number: known.get(name, {}).get(number) or _range(found) for number, found in partitions.items()}
        for name, partitions in held.items()
    }
    if not known and selection.has_range and not any(_has_record(found) for found in ranges.values()):
        raise SourceError(f"{_without_records(held, selection)}; choose another range, or leave --from and --to out")
    return ranges


def _range(held: OffsetRange) -> tuple[int, int]:
    return held.start, held.end if held.stop is None else min(held.stop, held.end)


def _has_record(partitions: dict[int, tuple[int, int]]) -> bool:
    return any(start < end for start, end in partitions.values())


def _without_records(held: dict[str, dict[int, OffsetRange]], selection: Selection) -> str:
    offsets = [
        f"{number}: {found.begin} to {found.end}"
        for partitions in held.values()
        for number, found in partitions.items()
    ]
    end = f" up to {selection.end}" if selection.end else ""
    begin = f"{', '.join(held)}: no record from {selection.start_text}{end}"
    return f"{begin}; the offsets by partition are {', '.join(offsets)}"
