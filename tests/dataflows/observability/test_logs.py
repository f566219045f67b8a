"""Logs: JSON on stderr or in a file, one form for Tacit and libraries."""

import json
import logging
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from dataflows.observability.logs import configure
from tacit.errors import ConfigurationError

SCRIPT = """
import logging, structlog
from dataflows.observability.logs import configure
configure({level!r})
own = structlog.get_logger("own")
own.info("run.started", processes=2, source="events – all")
own.warning("run.late", cause="a\\nb")
logging.getLogger("library").warning("%s is slow", "it")
logging.getLogger("library").info("it is fast")
logging.getLogger("kafka.client").error("again, and again")
try:
    1 / 0
except ZeroDivisionError:
    own.exception("run.failed")
"""


def _logged(level: str) -> list[dict[str, object]]:
    command = [sys.executable, "-c", SCRIPT.format(level=level)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout == ""
    return [json.loads(line) for line in done.stderr.splitlines()]


@pytest.mark.parametrize(
    ("level", "expected"),
    [
        ("info", ["run.started", "run.late", "it is slow", "it is fast", "run.failed"]),
        ("warning", ["run.late", "it is slow", "run.failed"]),
        ("error", ["run.failed"]),
    ],
)
def test_lines_below_the_level_are_not_logged(level: str, expected: list[str]) -> None:
    """The level holds for Tacit and for libraries; kafka-python logs critical errors only."""
    assert [line["event"] for line in _logged(level)] == expected


def test_line_has_event_logger_time_and_level() -> None:
    """All lines have the same members, and lines of Tacit have their values."""
    started, late, slow, *_, failed = _logged("info")
    assert {"event", "level", "logger", "timestamp"} <= started.keys() & slow.keys()
    assert (started["processes"], started["source"]) == (2, "events – all")
    assert (late["level"], late["cause"]) == ("warning", "a\nb")
    assert (slow["level"], slow["logger"]) == ("warning", "library")
    assert "ZeroDivisionError" in str(failed["exception"])


@pytest.fixture
def unconfigured() -> Iterator[None]:
    """Give the logs of other tests back."""
    handlers, level = logging.getLogger().handlers[:], logging.getLogger().level
    yield
    logging.getLogger().handlers[:] = handlers
    logging.getLogger().setLevel(level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("unconfigured")
def test_renamed_log_file_is_made_again(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """With the next line; where the folder is gone, lines go to stderr and end nothing."""
    folder = tmp_path / "logs"
    folder.mkdir()
    configure("info", file=folder / "tacit.log")
    log = logging.getLogger("own")
    log.info("one")
    (folder / "tacit.log").rename(folder / "tacit.log.1")
    log.info("two")
    assert [_events_in(folder / name) for name in ("tacit.log.1", "tacit.log")] == [["one"], ["two"]]
    assert (folder / "tacit.log").stat().st_mode & 0o777 == 0o640
    assert capsys.readouterr().err == ""
    folder.rename(tmp_path / "gone")
    log.info("three")
    assert json.loads(capsys.readouterr().err)["event"] == "three"


def test_log_file_that_cannot_be_written_is_a_wrong_setting(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"log_file: .* cannot be written: No such file or directory"):
        configure("info", file=tmp_path / "missing" / "tacit.log")


def _events_in(path: Path) -> list[str]:
    return [json.loads(line)["event"] for line in path.read_text().splitlines()]
