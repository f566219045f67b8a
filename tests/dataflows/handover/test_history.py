"""History of a finished replay, read once more."""

import os
from collections.abc import Mapping
from pathlib import Path

import pytest

from connectors.files.block_sums import BlockSums, checksum
from connectors.files.remembered import FileInput, Inputs
from dataflows.handover.history import History, history_settings
from dataflows.settings import Settings
from operators.seam import seam_key
from state.errors import StateError
from tacit.errors import ConfigurationError
from tests.support.commands import SECRET
from tests.support.factories import START_MS, make_event
from tests.support.parser import accepted, make_parser
from tests.support.replays import write_lines

HOUR_MS = 3_600_000


def _history(folder: Path, *files: Path, lines: int | None = None, options: Mapping[str, str] = {}) -> History:
    """Return the history of a replay that has read files; of the last one, some lines only."""
    read = []
    for path in files:
        found, data = path.stat(), path.read_bytes()
        count = data.count(b"\n") if lines is None or path != files[-1] else lines
        sums = BlockSums.of(path, found.st_size).sums
        place = (found.st_dev, found.st_ino, found.st_ctime_ns)
        read.append(FileInput(str(path), found.st_size, count, checksum(sums), *place))
    inputs = Inputs([path.name for path in files], dict(options), files=read, finished=True)
    return History(folder, inputs, Settings(secret=SECRET), make_parser())


def _events(*hours: int) -> list[dict[str, object]]:
    return [make_event(event_id=f"e-{hour}", at=START_MS + hour * HOUR_MS) for hour in hours]


def _written(path: Path, *hours: int, written_hour: int = 99) -> Path:
    write_lines(path, _events(*hours))
    os.utime(path, (0, (START_MS + written_hour * HOUR_MS) / 1000))
    return path


def test_keys_are_those_of_the_interactions_from_a_time_on(tmp_path: Path) -> None:
    """Control events, rejects and lines behind the end of the replay have none."""
    first = _written(tmp_path / "a.jsonl", -9, -5)
    consent = make_event(type="consent", event_id="c", at=START_MS) | {"granted": True}
    second = write_lines(tmp_path / "b.jsonl", [b"{", consent, *_events(-3, -2), *_events(-1)])
    found = list(_history(tmp_path, first, second, lines=4).keys(START_MS - 5 * HOUR_MS))
    assert found == [seam_key(accepted(event)) for event in _events(-5, -3, -2)]


def test_lines_are_those_of_the_range_of_the_replay(tmp_path: Path) -> None:
    """The end of --to is excluded."""
    path = _written(tmp_path / "a.jsonl", -5, -4, -3, -2)
    begin, end = str(START_MS - 4 * HOUR_MS), str(START_MS - 2 * HOUR_MS)
    history = _history(tmp_path, path, options={"from": begin, "to": end})
    assert [(line.at_ms - START_MS) // HOUR_MS for line in history.lines(0)] == [-4, -3]


def test_newest_event_is_not_one_of_a_wrong_clock(tmp_path: Path) -> None:
    """An event that is newer than the last write of its file does not count, unless all are."""
    path = _written(tmp_path / "a.jsonl", -5, -4, 70, written_hour=-3)
    assert _history(tmp_path, path).newest_ms() == START_MS - 4 * HOUR_MS
    only = _written(tmp_path / "b.jsonl", 70, 71, written_hour=-3)
    assert _history(tmp_path, only).newest_ms() == START_MS + 71 * HOUR_MS
    assert _history(tmp_path, write_lines(tmp_path / "c.jsonl", [b"{"])).newest_ms() == 0


def test_changed_file_is_an_error(tmp_path: Path) -> None:
    """The seam of other contents would let events count twice."""
    first, second = _written(tmp_path / "a.jsonl", -5), _written(tmp_path / "b.jsonl", -4)
    history = _history(tmp_path, first, second)
    history.require_unchanged()
    _written(first, -6)
    with pytest.raises(StateError, match=r"a\.jsonl has other contents now: the hand-over reads the history"):
        history.require_unchanged()


def test_events_in_envelopes_have_their_own_time_and_key(tmp_path: Path) -> None:
    """CloudEvents have a time of their own, which does not count, and a control event has no key."""
    consent = make_event(type="consent", event_id="c", at=START_MS - HOUR_MS, granted=True)
    envelope = {"specversion": "1.0", "type": "turn", "source": "/assistant", "id": "x", "time": "2001-01-01T00:00:00Z"}
    envelopes = [envelope | {"data": event} for event in (*_events(-9, -5, -3, -2), consent)]
    history = _history(tmp_path, write_lines(tmp_path / "a.jsonl", envelopes))
    assert history.newest_ms() == START_MS - 2 * HOUR_MS
    found = list(history.keys(START_MS - 5 * HOUR_MS))
    assert found == [seam_key(accepted(event)) for event in _events(-5, -3, -2)]


def test_history_has_the_format_of_its_replay() -> None:
    """Files are JSON, and the topic of the live run may be Avro; another format than JSON needs the registry."""
    registry = "http://localhost:9"
    live = Settings(secret=SECRET, format="avro", schema_registry=registry, schema_registry_user="ada")
    of_json = history_settings(Inputs([], settings={"format": "json"}), live)
    assert (of_json.format, of_json.registry) == ("json", None)
    assert history_settings(Inputs([], settings={"format": "avro"}), live) is live
    assert history_settings(Inputs([]), live) is live
    of_protobuf = history_settings(Inputs([], settings={"format": "protobuf"}), live)
    assert (of_protobuf.format, of_protobuf.schema_registry) == ("protobuf", registry)
    with pytest.raises(ConfigurationError, match="schema_registry: is required for avro"):
        history_settings(Inputs([], settings={"format": "avro"}), Settings(secret=SECRET))
