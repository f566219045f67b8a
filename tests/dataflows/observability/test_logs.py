"""Logs: JSON on stderr where nobody is looking, one form for all, and libraries kept quiet."""

import json
import subprocess
import sys

import pytest

SPEAK = """
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
    command = [sys.executable, "-c", SPEAK.format(level=level)]
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
def test_what_is_less_than_the_level_is_not_logged(level: str, expected: list[str]) -> None:
    """Ours and libraries' alike; kafka-python, which repeats itself, is not heard."""
    assert [line["event"] for line in _logged(level)] == expected


def test_line_says_what_who_when_and_how_bad() -> None:
    """The same members for all, and ours keep their values."""
    started, late, slow, *_, failed = _logged("info")
    assert {"event", "level", "logger", "timestamp"} <= started.keys() & slow.keys()
    assert (started["processes"], started["source"]) == (2, "events – all")
    assert (late["level"], late["cause"]) == ("warning", "a\nb")
    assert (slow["level"], slow["logger"]) == ("warning", "library")
    assert "ZeroDivisionError" in str(failed["exception"])
