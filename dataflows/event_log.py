"""Event log as the source of a live run: allowed settings."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from connectors.kafka.address import Start
from dataflows.settings import Settings
from tacit.errors import ConfigurationError

_SUFFIX = ".jsonl"
_NEEDS_TOPIC = {
    "group": "gets the offsets of a topic, and a log has none",
    "on_gap": "is about records that a topic lost, and a changed log always stops the run",
    "tracing": "continues the traces in the headers of a topic's records, and a line has none",
    "checkpoints": "keeps cuts for other hosts, and a log is on one host; back up the state folder with the log",
    "hosts": "share the partitions of a topic, and one process reads a log",
}
"""Setting → reason for the need of a topic."""


def require_log(files: Sequence[Path], settings: Settings) -> None:
    """Check that a live run can follow files: one plain file, with settings that do not need a topic.

    Raises:
        ConfigurationError: a problem per file and per setting.
    """
    if problems := [*_file_problems(files), *_setting_problems(settings)]:
        raise ConfigurationError(problems)


def _file_problems(files: Sequence[Path]) -> Iterator[str]:
    if len(files) != 1 or not files[0].name.endswith(_SUFFIX):
        yield (
            f"source: run needs kafka://HOST:PORT/TOPIC or one {_SUFFIX} file that grows; use tacit replay for others"
        )
    elif files[0].exists() and not files[0].is_file():
        yield f"source: {files[0]} is a device, a pipe or a folder, and not a file that grows; name a file"
    elif not files[0].exists():
        yield f"source: there is no file {files[0]}; make an empty one, or correct the path"


def _setting_problems(settings: Settings) -> Iterator[str]:
    for name, reason in _NEEDS_TOPIC.items():
        if getattr(settings, name) and name in settings.given:
            yield f"{name}: {reason}; leave it out"
    if settings.processes > 1:
        yield "processes: one process reads a log, which keeps the order of its lines; use 1"
    if settings.format != "json":
        yield f"format: {settings.format} is of records of a topic, and a line is JSON; use json"
    if Start.parse(settings.start).kind != "earliest":
        yield "start: a log is read from its first line; use earliest, or leave it out"
