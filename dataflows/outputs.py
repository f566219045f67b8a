"""Outputs of a run that are its input: each reject would be read as the next bad record, without an end."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path

from connectors.kafka.address import TopicAddress
from connectors.kafka.cluster import cluster_id
from dataflows.job import is_event_file
from dataflows.settings import Settings
from tacit.errors import ConfigurationError

_Identity = tuple[int, int]
"""Device and inode: the same for a file, a link to it, and another path to it."""


def refuse_outputs_in(sources: Sequence[str], settings: Settings) -> None:
    """Check, before anything is written, that no output of a run is in its sources.

    Topics are the same if name and cluster are, and files if device and inode are. A file that a later run would find
    in a folder of the sources counts, too.

    Raises:
        ConfigurationError: an output is input; the error names its setting.
        SourceError: a cluster does not answer.
    """
    outputs = {
        "rejects": settings.rejects,
        "control_rejects": settings.control_rejects_to,
        "receipts": settings.receipts,
        "audit": settings.audit,
    }
    problems = [
        f"{name}: {output} is {place}, so the run would read its own lines; name another destination"
        for name, output in outputs.items()
        if output
        for place in _places(sources, output)
    ]
    if problems:
        raise ConfigurationError(problems)


def _places(sources: Sequence[str], output: str) -> Iterator[str]:
    for source in sources:
        if source.startswith("kafka:") != output.startswith("kafka:"):
            continue
        if source.startswith("kafka:"):
            if _is_same_topic(TopicAddress.parse(source), TopicAddress.parse(output)):
                yield "the topic of the source"
        elif place := _place_in(Path(source), Path(output)):
            yield place


def _is_same_topic(one: TopicAddress, other: TopicAddress) -> bool:
    if one.topic != other.topic:
        return False
    return bool(set(one.servers) & set(other.servers)) or cluster_id(one) == cluster_id(other)


def _place_in(source: Path, output: Path) -> str:
    """Return the place of an output in a file or folder of the source; empty if it is not there."""
    if source.is_dir():
        within = _identity(output.absolute().parent) == _identity(source) and is_event_file(output)
        found = within or any(_is_same(child, output) for child in source.iterdir() if is_event_file(child))
        return f"in the folder {source} of the source" if found else ""
    return f"the file {source} of the source" if _is_same(source, output) else ""


def _is_same(source: Path, output: Path) -> bool:
    identity = _identity(output)
    return identity == _identity(source) if identity else os.path.realpath(output) == os.path.realpath(source)


def _identity(path: Path) -> _Identity | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino
