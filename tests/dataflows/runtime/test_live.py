"""Live runs that fail: what may pass is tried again, what will not ends them at once."""

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from dataflows.state_folder import Identity, locked
from tests.support.commands import Limits, running, tacit
from tests.support.factories import CATALOGUE
from tests.support.ports import free_port
from tests.support.replays import redis_of_its_own

IMPATIENT: Limits = {
    "connectors.kafka.address.CONNECT_MS": 300,
    "dataflows.runtime.live.MAX_QUICK_FAILURES": 3,
    "dataflows.runtime.live._PAUSE_S": 0.01,
}


@pytest.fixture
def url() -> Iterator[str]:
    """Return the URL of a Redis."""
    with redis_of_its_own() as (url, _):
        yield url


@pytest.fixture
def nowhere() -> str:
    """Return the URL of a topic on a broker that is not there."""
    return f"kafka://127.0.0.1:{free_port()}/events"


def _failures(log: str) -> int:
    """Return how often a run failed that was then tried again."""
    lines = [json.loads(line) for line in log.splitlines() if line.startswith("{")]
    return sum(line["event"] == "run.failed" for line in lines)


def test_failing_run_is_tried_again_and_given_up_in_the_end(nowhere: str, url: str, tmp_path: Path) -> None:
    """With a state folder to go on from; the last word is the cause."""
    words = ("--redis", url, "--state", "state", "--metrics", "off")
    done = tacit("run", nowhere, *words, cwd=tmp_path, limits=IMPATIENT)
    assert done.returncode == 1
    assert _failures(done.stderr) == 2
    assert done.stderr.splitlines()[-1].startswith(f"tacit: {nowhere}: no answer within")


def test_run_that_keeps_nothing_is_not_tried_again(nowhere: str, url: str, tmp_path: Path) -> None:
    """It would begin from --start, so that is for whoever started it to say; it was warned."""
    done = tacit("run", nowhere, "--redis", url, "--metrics", "off", cwd=tmp_path, limits=IMPATIENT)
    assert done.returncode == 1
    assert _failures(done.stderr) == 0
    assert '"event": "run.keeps_nothing"' in done.stderr


def test_wrong_setting_is_not_tried_again(nowhere: str, url: str, tmp_path: Path) -> None:
    """A port that is taken is for a person to mend."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        done = tacit("run", nowhere, "--redis", url, "--state", "state", "--metrics", address, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(f"tacit: metrics: {address} cannot be listened on")
    assert _failures(done.stderr) == 0


def test_run_that_is_asked_to_stop_is_not_tried_again(nowhere: str, url: str, tmp_path: Path) -> None:
    """Also while it waits to try again, which would take long; the last word is what it failed of."""
    words = ["run", nowhere, "--redis", url, "--state", str(tmp_path / "state"), "--metrics", "off"]
    with running(words, tmp_path / "log", {**IMPATIENT, "dataflows.runtime.live._PAUSE_S": 3600}) as run:
        run.wait_for(lambda: _failures(run.output), "the first failure")
        assert run.stop() == 1
        assert run.output.splitlines()[-1].startswith(f"tacit: {nowhere}: no answer within")


def test_folder_of_another_topic_is_not_tried_again(nowhere: str, url: str, tmp_path: Path) -> None:
    """It will be another topic's tomorrow, too."""
    with locked(tmp_path / "state", Identity(16, "eu", "live", "topic events-old", "5ec2e7"), CATALOGUE):
        pass
    done = tacit("run", nowhere, "--redis", url, "--state", "state", cwd=tmp_path)
    assert done.returncode == 1
    assert "was made for source 'topic events-old', not 'topic events'" in done.stderr
    assert _failures(done.stderr) == 0


def test_run_without_redis_does_not_begin(nowhere: str, tmp_path: Path) -> None:
    """Nothing could be written, so nothing is read."""
    done = tacit("run", nowhere, "--redis", f"unix://{tmp_path}/nobody.sock", cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(
        "did not answer: CONNECTION; check the URL, its user and password, and the server"
    )


@pytest.mark.parametrize("words", [["events.jsonl"], ["kafka://a:1/x", "kafka://a:1/y"], ["kafka://a:1/x", "y.jsonl"]])
def test_run_reads_one_topic(words: list[str], url: str, tmp_path: Path) -> None:
    """Files end, and are for replays."""
    done = tacit("run", *words, "--redis", url, cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.startswith("tacit: source: ")
