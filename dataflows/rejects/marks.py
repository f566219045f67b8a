"""Marks of records that were fed back, kept next to the rejects: a second retry skips these records.

A mark is written after the topic or file has acknowledged the record. So a kill in between feeds a batch again, never
a record not at all: the workers recognize the repeat by its event id.
"""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

import msgspec

from connectors.kafka.address import TopicAddress
from connectors.kafka.producer import CheckedProducer
from dataflows.rejects.stored import Mark, marks_path
from dataflows.settings import Settings
from state.errors import SinkError

_encode = msgspec.json.Encoder().encode


class Marks(Protocol):
    """Destination of marks."""

    def write(self, marks: Sequence[Mark]) -> None:
        """Return when the marks are kept.

        Raises:
            SinkError: they cannot be kept.
        """


@contextmanager
def marks_of(settings: Settings, destination: str) -> Iterator[Marks]:
    """Yield the marks next to a topic or file of rejects.

    Marks of a topic are records of the topic itself, so that all operators share them. Those of a file are in a second
    file, which is locked meanwhile.

    Raises:
        SinkError: another retry uses the file, or the topic or file cannot be written.
    """
    if destination.startswith("kafka:"):
        yield _MarksTopic(settings.topic(destination))
        return
    path = marks_path(Path(destination))
    with _errors(path):
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT, 0o640)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SinkError(f"{path}: another tacit rejects retry runs; wait for its end, and run again") from None
        yield _MarksFile(path, descriptor)
    finally:
        os.close(descriptor)


class _MarksTopic:
    def __init__(self, address: TopicAddress) -> None:
        self._address = address

    def write(self, marks: Sequence[Mark]) -> None:
        with CheckedProducer(self._address) as producer:
            for mark in marks:
                producer.send(self._address.topic, None, _encode(mark))


class _MarksFile:
    def __init__(self, path: Path, descriptor: int) -> None:
        self._path = path
        self._descriptor = descriptor

    def write(self, marks: Sequence[Mark]) -> None:
        with _errors(self._path):
            size = os.fstat(self._descriptor).st_size
            is_torn = bool(size) and os.pread(self._descriptor, 1, size - 1) != b"\n"
            data = b"\n" * is_torn + b"".join(_encode(mark) + b"\n" for mark in marks)
            while data:
                data = data[os.write(self._descriptor, data) :]
            os.fsync(self._descriptor)


@contextmanager
def _errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise SinkError(f"{path}: cannot be written: {error.strerror}; free disk space, or make it writable") from error
