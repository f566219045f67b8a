"""Job: the source that arguments name, and the consequences of an end."""

from pathlib import Path
from typing import Any

import pytest

from connectors.kafka.address import TopicAddress
from connectors.redis.target import Mode
from dataflows.job import LIVE_METRICS, Job, Topics, parse_source
from dataflows.settings import Settings
from state.errors import SinkError
from tacit.errors import ConfigurationError

TOPIC = TopicAddress(("a:9092",), "events")
FILES = (Path("a.jsonl"), Path("b.jsonl.gz"))


def _job(*, bounded: bool, source: TopicAddress | tuple[Path, ...] = FILES, **settings: Any) -> Job:
    return Job(Settings(embedded=True, **settings), source, bounded)


def test_arguments_are_topics_or_files() -> None:
    """A mixture is an error."""
    assert parse_source(["kafka://a:9092/events"]) == TOPIC
    assert parse_source(["a.jsonl", "b.jsonl.gz"]) == FILES
    for texts in (["kafka://a:9092/events", "a.jsonl"], ["a.jsonl", "kafka://a:9092/events"]):
        with pytest.raises(ConfigurationError, match="use topics, or files and folders"):
            parse_source(texts)


def test_several_topics_keep_their_order() -> None:
    """Topics may be of several clusters; a topic that is named twice is an error."""
    other = TopicAddress(("b:9092",), "events")
    assert parse_source(["kafka://a:9092/events", "kafka://b:9092/events"]) == Topics((TOPIC, other))
    with pytest.raises(ConfigurationError, match="kafka://a:9092/events is named twice"):
        parse_source(["kafka://a:9092/events", "kafka://a:9092/events"])


@pytest.mark.parametrize("text", ["kafka:", "kafka:/a:1/x", "kafka://a/x", "kafka://a:1", "kafka://u:pw@a:1/x"])
def test_invalid_topic_is_an_error(text: str) -> None:
    """A text that begins like a topic is never a file."""
    with pytest.raises(ConfigurationError, match="a Kafka address "):
        parse_source([text])


def test_source_of_a_state_folder_is_a_topic_by_name() -> None:
    """Brokers may move; positions identify files."""
    assert _job(bounded=False, source=TOPIC).source_name == "topic events"
    assert _job(bounded=True).source_name == "files"


def test_live_run_has_metrics_and_a_replay_has_none() -> None:
    """Settings outrank these defaults."""
    assert _job(bounded=False).metrics == LIVE_METRICS
    assert _job(bounded=True).metrics == "off"
    assert _job(bounded=True, metrics="127.0.0.1:1").metrics == "127.0.0.1:1"
    assert _job(bounded=False).log_level == "info"
    assert _job(bounded=True).log_level == "warning"
    assert _job(bounded=True, log_level="debug").log_level == "debug"


@pytest.mark.parametrize(
    ("bounded", "namespace", "expected"),
    [
        (False, "live", Mode.LIVE),
        (False, "shadow", Mode.LIVE),
        (True, "live", Mode.FILL),
        (True, "shadow", Mode.REPLAY),
    ],
)
def test_replay_into_live_only_fills_gaps(bounded: bool, namespace: str, expected: Mode) -> None:
    """A replay into a namespace of its own, and a live run anywhere, write what is newer."""
    assert _job(bounded=bounded, namespace=namespace).target().mode is expected


def test_absent_redis_is_an_error() -> None:
    """The error has the code, and not the password of the URL."""
    job = _job(bounded=True, redis="redis://ada:hush-hush@127.0.0.1:1")
    with pytest.raises(SinkError, match="CONNECTION") as caught:
        job.require_redis()
    assert "hush-hush" not in str(caught.value)


def test_folder_stands_for_its_event_files_by_name(tmp_path: Path) -> None:
    """Folders in it and other files are left out."""
    for name in ("b.jsonl", "a.jsonl.zst", "c.jsonl.gz", "notes.txt"):
        (tmp_path / name).touch()
    (tmp_path / "d.jsonl").mkdir()
    expected = tuple(tmp_path / name for name in ("a.jsonl.zst", "b.jsonl", "c.jsonl.gz"))
    assert parse_source([str(tmp_path)]) == expected
    assert parse_source(["first.jsonl", str(tmp_path)]) == (Path("first.jsonl"), *expected)


def test_folder_without_event_files_is_an_error(tmp_path: Path) -> None:
    """The error has the folder and the allowed names."""
    (tmp_path / "events.csv").touch()
    with pytest.raises(ConfigurationError, match=r"has no file with a name in \.jsonl, \.jsonl\.gz, \.jsonl\.zst"):
        parse_source([str(tmp_path)])


def test_folder_is_read_without_hidden_files_and_with_broken_links(tmp_path: Path) -> None:
    """A hidden file is a temporary file of another program; a broken link is for the source to report."""
    (tmp_path / "a.jsonl").write_bytes(b"")
    (tmp_path / ".b.jsonl").write_bytes(b"")
    (tmp_path / "c.jsonl").symlink_to(tmp_path / "absent.jsonl")
    assert parse_source([str(tmp_path)]) == (tmp_path / "a.jsonl", tmp_path / "c.jsonl")


def test_replay_has_one_host_where_a_shared_file_sets_more() -> None:
    """Otherwise its state folder would lack the databases of the other hosts."""
    settings = Settings(embedded=True, hosts="a:2101,b:2101,c:2101", host="2")
    assert Job(settings, (), bounded=True).share == (0, 1)
    assert Job(settings, (), bounded=False).share == (2, 3)
