"""The client's emitter and a real service: rejects are counted by reason, and a killed service costs no event."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tacit import Catalogue, ControlEvents, Emitter, ServiceApi, Turn, decode_event
from tests.support.commands import running
from tests.support.conditions import eventually
from tests.support.replays import redis_of_its_own, replay
from tests.support.service import KEYS, made_key, serving

DECIDE = ControlEvents("eu", Catalogue.load())
EVENTS = "events.jsonl"


@pytest.fixture
def redis_url() -> Iterator[str]:
    with redis_of_its_own() as (url, _):
        yield url


def turn(user: str = "ada", topic: str | None = None) -> Turn:
    return Turn(user, "eu", "t-1", {"length": "concise"}, topic=topic)


def test_outcomes_of_the_service_are_counted(redis_url: str, tmp_path: Path) -> None:
    """An event outside the catalogue, one of another region, and one that the key may not send."""
    (tmp_path / EVENTS).touch()
    with serving(tmp_path, redis_url, "--source", EVENTS) as service:
        key = made_key(tmp_path, "sends", "send")
        with service.with_key(key) as client:
            eventually(lambda: client.get("/v1/catalogue").status_code == 200, within_s=60, what="the key")
        with Emitter(ServiceApi(service.url, key)) as emitter:
            emitter.send(turn().feedback("thumbs_up", event_id="accepted"))
            emitter.send(turn(topic="gardening").event())
            emitter.send(Turn("ada", "us", "t-1", {}).event())
            emitter.send(DECIDE.forget("ada"))
            assert emitter.flush(60)
            counts = emitter.counts()
    assert counts == (0, 1, 0, 0, {"not_in_catalogue": 1, "wrong_region": 1, "forbidden": 1})
    assert [decode_event(line).event_id for line in (tmp_path / EVENTS).read_bytes().splitlines()] == ["accepted"]


def test_wrong_key_keeps_the_events_until_it_is_right(redis_url: str, tmp_path: Path) -> None:
    """As in a rotation of keys: the service reads its file of keys again."""
    (tmp_path / EVENTS).touch()
    with serving(tmp_path, redis_url, "--source", EVENTS) as service:
        keys = tmp_path / "keys.jsonl"
        key, lines = made_key(tmp_path, "later", "manage"), keys.read_bytes()
        keys.write_bytes(b"\n".join(line for line in lines.splitlines() if b"later" not in line))
        with Emitter(ServiceApi(service.url, key)) as emitter:
            emitter.send(DECIDE.pin("ada", "length", "concise"))
            eventually(lambda: emitter.counts().retried, within_s=60, what="a refusal")
            keys.write_bytes(lines)
            assert emitter.flush(60) or emitter.flush(60)
            assert emitter.counts().sent == 1


def test_killed_service_costs_no_event(redis_url: str, tmp_path: Path) -> None:
    """Repeats have the same ids, so a replay counts each event once."""
    (tmp_path / EVENTS).touch()
    with serving(tmp_path, redis_url, "--source", EVENTS) as first:
        port = first.url.rpartition(":")[2]
        emitter = Emitter(ServiceApi(first.url, first.key), linger_s=0)
        for number in range(20):
            emitter.send(DECIDE.consent(f"user-{number}", granted=True, event_id=f"yes-{number}"))
        assert emitter.flush(60)
        for number in range(600):
            emitter.send(turn(f"user-{number % 20}").event(event_id=f"e-{number}"))
        first.run.kill()
        for number in range(600, 900):
            emitter.send(turn(f"user-{number % 20}").event(event_id=f"e-{number}"))
        eventually(lambda: emitter.counts().retried, within_s=60, what="a failed delivery")
    address = f"127.0.0.1:{port}"
    words = ["serve", "--redis", redis_url, "--listen", address, "--keys", KEYS, "--source", EVENTS]
    with running(words, tmp_path / "second.log"):
        assert emitter.close(60)
        assert emitter.counts()[3:] == (0, {})
    lines = (tmp_path / EVENTS).read_bytes().splitlines()
    by_user: dict[str, list[int]] = {}
    for event in map(decode_event, lines):
        if event.event_id.startswith("e-"):
            by_user.setdefault(event.user_id, []).append(int(event.event_id.removeprefix("e-")))
    assert {number for numbers in by_user.values() for number in numbers} == set(range(900))
    for numbers in by_user.values():  # in the order of sending, apart from repeats
        assert list(dict.fromkeys(numbers)) == sorted(set(numbers))
    repeats = lines[-50:]  # as of a batch that was written, but not acknowledged before the kill
    with (tmp_path / EVENTS).open("ab") as file:
        file.writelines(line + b"\n" for line in repeats)
    summary = replay(redis_url, EVENTS, cwd=tmp_path)
    assert (summary["accepted"], summary["duplicate"]) == (920, len(lines) + len(repeats) - 920)
