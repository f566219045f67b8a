"""History of a finished replay, read once more: its newest event, and its events of the seam."""

import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import msgspec

from connectors.files.line_reader import LineReader
from connectors.files.remembered import FileInput, Inputs, difference
from connectors.files.window import MAX_WINDOW_MIB
from connectors.kafka.address import Start
from connectors.kafka.offsets import look_up
from connectors.kafka.records import records_between
from dataflows.selection import ALL_TIMES, Selection
from dataflows.settings import Settings
from operators.parse import Parser
from operators.seam import seam_key
from state.errors import StateError
from state.events.observation import Kind, Observation
from state.events.records import CLOCK_TOLERANCE_MS, KafkaOrigin, Record
from tacit.contract.events import Interaction

_LINES_AT_ONCE = 1000


class _Timed(msgspec.Struct):
    """The one member of an event that decides whether the whole event is needed."""

    at: int


_decode = msgspec.json.Decoder(_Timed).decode


class Line(NamedTuple):
    """Record of a history with its event time."""

    record: Record
    at_ms: int


class History:
    """Files or topics that a replay has read, up to its end."""

    def __init__(self, folder: Path, inputs: Inputs, settings: Settings, parser: Parser) -> None:
        self._folder = folder
        self._settings = settings
        self._parser = parser
        self._inputs = inputs
        selection = Selection(inputs.options.get("from", ""), inputs.options.get("to", ""))
        self._range = selection.event_times if inputs.files else ALL_TIMES

    def require_unchanged(self) -> None:
        """Check that the files of the history are there, with the contents that the replay read.

        Raises:
            StateError: a file differs.
        """
        last = len(self._inputs.files) - 1
        for index, file in enumerate(self._inputs.files):
            if text := difference(file, Path(file.path), may_grow=index == last):
                raise StateError(
                    f"{file.path} {text}: the hand-over reads the history of {self._folder} once more; put the file "
                    "back, or run the replay over the present files with --again"
                )

    def newest_ms(self) -> int:
        """Return the time of the newest event; 0 without one.

        An event that is ahead of the last write of its file has a wrong clock, and does not count, unless all are.
        """
        newest_ms = max((line.at_ms for line in self.lines(0, before_write=True)), default=0)
        return newest_ms or max((line.at_ms for line in self.lines(0)), default=0)

    def keys(self, from_ms: int) -> Iterator[int]:
        """Yield the keys of the interactions from a time on."""
        for line in self.lines(from_ms):
            found = self._parser.parse(line.record)
            if isinstance(found, Observation) and found.kind == Kind.INTERACTION:
                yield seam_key(found)

    def lines(self, from_ms: int, *, before_write: bool = False) -> Iterator[Line]:
        """Yield the events from a time on; `before_write`: none that is ahead of the last write of its file.

        Raises:
            SourceError: a file or a topic cannot be read.
        """
        records = self._of_files() if self._inputs.files else self._of_topics(from_ms)
        first_ms, end_ms = self._range
        for record, latest_ms in records:
            at_ms = self._at_ms(record.value)
            until_ms = min(latest_ms + 1, end_ms) if before_write else end_ms
            if at_ms is not None and max(from_ms, first_ms) <= at_ms < until_ms:
                yield Line(record, at_ms)

    def _at_ms(self, value: bytes) -> int | None:
        """Return the event time of an interaction, or of any event in JSON; None without one."""
        try:
            return _decode(value).at
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            event = self._parser.format.decode(value)
            return event.at if isinstance(event, Interaction) else None

    def _of_files(self) -> Iterator[tuple[Record, int]]:
        for file in self._inputs.files:
            latest_ms = int(Path(file.path).stat().st_mtime * 1000) + CLOCK_TOLERANCE_MS
            for record in _lines(file):
                yield record, latest_ms

    def _of_topics(self, from_ms: int) -> Iterator[tuple[Record, int]]:
        latest_ms = time.time_ns() // 1_000_000 + CLOCK_TOLERANCE_MS
        first = Start("timestamp", max(0, from_ms - CLOCK_TOLERANCE_MS))  # no record is older than its event
        for name, partitions in self._inputs.ranges.items():
            address = self._settings.topic(name)
            found = look_up(address, first)
            for partition, (start, stop) in partitions.items():
                origin = KafkaOrigin(address.topic, partition)
                for held in records_between(address, partition, max(start, found[partition].start), stop):
                    yield Record(origin, held.offset, held.value), latest_ms


def history_settings(inputs: Inputs, settings: Settings) -> Settings:
    """Return the settings of a live run with the input format of the replay, such as JSON in files.

    Raises:
        ConfigurationError: the format needs a schema registry, and the settings have none.
    """
    kept = inputs.settings.get("format", settings.format)
    if kept == settings.format:
        return settings
    registry = ("schema_registry", "schema_registry_user", "schema_registry_password", "schema_registry_ca")
    changes: dict[str, Any] = {"format": kept} | (dict.fromkeys(registry) if kept == "json" else {})
    return replace(settings, **changes)


def _lines(file: FileInput) -> Iterator[Record]:
    """Yield the lines that the replay read."""
    reader = LineReader(Path(file.path), window_mib=MAX_WINDOW_MIB)
    try:
        while records := reader.read(_LINES_AT_ONCE):
            for record in records:
                if record.position > file.lines:
                    return
                yield record
    finally:
        reader.close()
