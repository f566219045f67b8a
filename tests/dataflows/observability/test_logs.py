"""Logs: JSON on stderr, one form for Tacit and libraries."""

import json
import subprocess
import sys

import pytest

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
