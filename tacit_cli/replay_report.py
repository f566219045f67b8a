"""Report files of `tacit replay --report`."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from dataflows.job import Job
from dataflows.report.build import report_of
from dataflows.report.changes import changes_of, foreseen_changes, signals_now
from dataflows.report.document import Changes
from dataflows.report.page import page
from dataflows.report.parts import Parts
from state.durable import write_file
from state.errors import SinkError
from tacit.errors import ConfigurationError

_ENDINGS = (".json", ".html")


@contextmanager
def reported(job: Job, file: str | None) -> Iterator[Parts]:
    """Yield the parts of a replay; with a file, write the report at the end, also after an error of the replay.

    Raises:
        ConfigurationError: the report cannot be written into its folder.
        SinkError: the disk is full.
    """
    if file is None:
        yield Parts(job.settings)
        return
    stem = _stem(Path(file))
    job.require_redis()
    parts = Parts(job.settings, signals_now(job.settings))
    try:
        yield parts
    finally:
        if parts.current.result != "running":
            _write(job, parts, stem)


def _stem(file: Path) -> Path:
    """Return the path without the ending of a report, in a folder that can be written."""
    folder = file.absolute().parent
    if not folder.is_dir() or not os.access(folder, os.W_OK):
        raise ConfigurationError([f"report: the folder of {file} does not exist or is not writable; name another file"])
    return file.with_suffix("") if file.suffix in _ENDINGS else file


def _write(job: Job, parts: Parts, stem: Path) -> None:
    report = report_of(job, parts, _changes(job, parts))
    files = {".json": msgspec.json.format(msgspec.json.encode(report)) + b"\n", ".html": page(report).encode()}
    for ending, content in files.items():
        path = stem.with_name(stem.name + ending)
        try:
            write_file(path, content)
        except OSError as error:
            raise SinkError(
                f"report {path}: cannot be written: {error.strerror}; make room, or name another file"
            ) from error


def _changes(job: Job, parts: Parts) -> Changes:
    if job.is_dry:
        return foreseen_changes(parts.before, parts.counters.foreseen)
    try:
        return changes_of(job.settings, parts.before)
    except SinkError as error:
        return Changes(parts.before, unknown=str(error))
