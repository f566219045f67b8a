"""`tacit check` with a state folder finds the gap that the next run would stop at, and writes nothing."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from connectors.kafka.address import TopicAddress
from connectors.kafka.positions import Mark, Position
from connectors.kafka.resumption import require_no_gap
from connectors.kafka.topic_admin import look_at
from state.errors import GapError
from tests.support.commands import running, tacit
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka
from tests.support.replays import redis_of_its_own

pytestmark = KAFKA_TEST

Change = Callable[[Kafka, str], None]


@pytest.fixture
def url() -> Iterator[str]:
    with redis_of_its_own() as (found, _):
        yield found


def _expired(kafka: Kafka, topic: str) -> None:
    kafka.produce(topic, [b"{"] * 5, partition=1)
    kafka.delete_before(topic, 1, 4)


CHANGES: dict[str, Change] = {
    "the topic was deleted and created again": lambda kafka, topic: kafka.create_again(topic, 2),
    "partition 1: the topic was deleted and created again": lambda kafka, topic: kafka.create_again(topic, 1),
    "Kafka deleted 3 records before they were read": _expired,
}


@pytest.mark.parametrize("text", CHANGES)
def test_check_finds_the_gap_of_the_next_run(text: str, kafka: Kafka, url: str, tmp_path: Path) -> None:
    """With the words of the run; where the run would continue, the gap is a warning."""
    topic, state = kafka.create_topic(2), tmp_path / "state"
    source = f"kafka://{kafka.servers}/{topic}"
    common = (source, "--redis", url, "--state", str(state))
    for partition in range(2):
        kafka.produce(topic, [b"{"], partition=partition)
    with running(["run", *common, "--metrics", "off"], tmp_path / "log") as run:
        rejects = tmp_path / "tacit-rejects.jsonl"
        run.wait_for(lambda: rejects.exists() and len(rejects.read_text().splitlines()) == 2, "the records")
        assert "a run uses" in _shown("check", *common, cwd=tmp_path, status=0)
        assert run.stop() == 0
    assert "has every record behind the 2 positions" in _shown("check", *common, cwd=tmp_path, status=0)

    CHANGES[text](kafka, topic)
    before = _contents(state)
    assert text in _shown("check", *common, cwd=tmp_path, status=1)
    assert text in _shown("check", *common, "--on-gap", "continue", cwd=tmp_path, status=0)
    assert _contents(state) == before
    assert text in _shown("run", *common, "--metrics", "off", cwd=tmp_path, status=1)


@pytest.mark.parametrize(
    ("identity", "check", "text"),
    [
        ({"cluster": "another"}, None, "the address leads to another cluster"),
        ({}, 7, "other records are at offsets that were read"),
        ({}, None, "records that were read are no longer there"),
    ],
)
def test_positions_of_another_history_are_a_gap(
    identity: dict[str, str], check: int | None, text: str, kafka: Kafka
) -> None:
    """As of another cluster at the address, and of a restored one."""
    topic = kafka.create_topic()
    kafka.produce(topic, [b"a", b"b"])
    address = TopicAddress.parse(f"kafka://{kafka.servers}/{topic}")
    offset, marks = (2, (Mark(1, check),)) if check else (9, ())
    found = look_at(address).identity._replace(**identity)
    saved = Position(offset, None, found, offset, marks).to_snapshot()
    with pytest.raises(GapError, match=text):
        require_no_gap(address, {"0": saved})


def _shown(*words: str, cwd: Path, status: int) -> str:
    """Run a command, and return its output in one line."""
    done = tacit(*words, cwd=cwd)
    text = " ".join((done.stdout + done.stderr).replace("│", " ").split())
    assert done.returncode == status, text
    return text


def _contents(folder: Path) -> dict[str, tuple[int, int]]:
    """Return inode and time of the last change of all files."""
    files = [path for path in sorted(folder.rglob("*")) if path.is_file()]
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}
