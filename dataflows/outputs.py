"""Outputs of a run that are its input, or its log: a reject would be read as the next bad record, without an end."""

import os
from collections.abc import Iterator, Sequence
from fnmatch import fnmatch
from pathlib import Path

from connectors.files.paths import event_files, file_identity, is_event_file, is_pattern
from connectors.kafka.address import TopicAddress
from connectors.kafka.cluster import cluster_id
from dataflows.settings import Settings
from tacit.errors import ConfigurationError


def refuse_outputs_in(sources: Sequence[str], settings: Settings) -> None:
    """Check, before anything is written, that no output of a run is in its sources.

    Topics are the same if name and cluster are, and files if device and inode are. A file that a later run would find
    in a folder of the sources counts, too.

    Raises:
        ConfigurationError: an output is input, or the log file; the error names its setting.
        SourceError: a cluster does not answer.
    """
    outputs = {
        "rejects": settings.rejects,
        "control_rejects": settings.control_rejects_to,
        "receipts": settings.receipts,
        "audit": settings.audit,
        "log_file": None if settings.log_file is None else str(settings.log_file),
    }
    problems = [
        f"{name}: {output} is {place}, so the run would read its own lines; name another destination"
        for name, output in outputs.items()
        if output
        for place in _places(sources, output, settings)
    ]
    log_file = outputs.pop("log_file")
    problems += [
        f"log_file: {log_file} is the file of {name}, too, and their lines would mix; name another file"
        for name, output in outputs.items()
        if log_file and output and not output.startswith("kafka:") and _is_same(Path(log_file), Path(output))
    ]
    if problems:
        raise ConfigurationError(problems)


def _places(sources: Sequence[str], output: str, settings: Settings) -> Iterator[str]:
    for source in sources:
        if source.startswith("kafka:") != output.startswith("kafka:"):
            continue
        if source.startswith("kafka:"):
            if _is_same_topic(settings.topic(source), settings.topic(output)):
                yield "the topic of the source"
        elif is_pattern(source):
            if any(_is_same(path, Path(output)) for path in event_files([source])) or _would_match(source, output):
                yield f"a file that {source} of the source means"
        elif place := _place_in(Path(source), Path(output)):
            yield place


def _is_same_topic(one: TopicAddress, other: TopicAddress) -> bool:
    if one.topic != other.topic:
        return False
    return bool(set(one.servers) & set(other.servers)) or cluster_id(one) == cluster_id(other)


def _place_in(source: Path, output: Path) -> str:
    """Return the place of an output in a file or folder of the source; empty if it is not there."""
    if source.is_dir():
        within = file_identity(output.absolute().parent) == file_identity(source) and is_event_file(output)
        found = within or any(_is_same(child, output) for child in source.iterdir() if is_event_file(child))
        return f"in the folder {source} of the source" if found else ""
    return f"the file {source} of the source" if _is_same(source, output) else ""


def _would_match(pattern: str, output: str) -> bool:
    """Return whether a later run would find the output by the pattern."""
    path = Path(output)
    if not is_event_file(path) or not fnmatch(path.name, Path(pattern).name):
        return False
    parents = {file_identity(found.absolute().parent) for found in event_files([pattern])}
    return file_identity(path.absolute().parent) in parents


def _is_same(source: Path, output: Path) -> bool:
    identity = file_identity(output)
    return identity == file_identity(source) if identity else os.path.realpath(output) == os.path.realpath(source)
