"""tacit/sender/emitter: an answer never waits for a destination, and every event is sent or counted."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tacit import Catalogue, ConfigurationError, ControlEvents, Emitter, EventError, Forget, QueueFullError, Turn
from tacit.contract.events import decode_event
from tacit.sender.backoff import Backoff
from tacit.sender.destination import ACCEPTED, MAX_BATCH_EVENTS, EncodedEvent, Outcome
from tacit.sender.emitter import MAX_BYTES
from tests.support.conditions import eventually
from tests.support.held_destination import HeldDestination

DECIDE = ControlEvents("eu")


def turn(user: str = "ada", number: int = 0) -> Turn:
    return Turn(user, "eu", f"t-{number}", {"length": "concise"})


def ids(events: list[EncodedEvent]) -> list[str]:
    return [decode_event(event.data).event_id for event in events]


@contextmanager
def emitting(destination: HeldDestination, *, max_events: int = 5000, max_bytes: int = MAX_BYTES) -> Iterator[Emitter]:
    """Give an emitter, and end its thread: the destination opens first."""
    emitter = Emitter(destination, linger_s=0, max_events=max_events, max_bytes=max_bytes)
    try:
        yield emitter
    finally:
        destination.opened.set()
        emitter.close(timeout_s=5)


def busy(emitter: Emitter, destination: HeldDestination) -> None:
    """Send one event, and return once the closed destination holds it."""
    emitter.send(turn().event(event_id="first"))
    eventually(lambda: destination.attempts, within_s=5, what="the first delivery")


def test_events_arrive_in_their_order() -> None:
    """With the user id as the key."""
    destination = HeldDestination()
    with emitting(destination) as emitter:
        for number in range(3 * MAX_BATCH_EVENTS):
            emitter.send(turn(f"user-{number % 3}", number).event(event_id=str(number)))
        assert emitter.flush(10)
    assert ids(destination.taken) == [str(number) for number in range(3 * MAX_BATCH_EVENTS)]
    assert {event.key for event in destination.taken} == {b"user-0", b"user-1", b"user-2"}
    assert max(destination.attempts) <= MAX_BATCH_EVENTS
    assert emitter.counts() == (0, 3 * MAX_BATCH_EVENTS, 0, 0, {})


def test_send_returns_while_the_destination_hangs() -> None:
    """And the events wait."""
    destination = HeldDestination(is_open=False)
    with emitting(destination) as emitter:
        busy(emitter, destination)
        for number in range(1000):
            emitter.send(turn(number=number).event())
        assert not emitter.flush(0.01)
        assert emitter.counts().waiting == 1001
        destination.opened.set()
        assert emitter.flush(10)
    assert len(destination.taken) == 1001


def test_task_of_asyncio_sends_while_the_destination_hangs() -> None:
    """The loop turns meanwhile."""
    destination = HeldDestination(is_open=False)

    async def answer(emitter: Emitter) -> bool:
        emitter.send(turn().event())
        return await asyncio.to_thread(emitter.flush, 0.01)

    with emitting(destination) as emitter:
        assert asyncio.run(answer(emitter)) is False


def test_oldest_interactions_make_room() -> None:
    """Each is counted, and the newest ones are kept."""
    destination = HeldDestination(is_open=False)
    with emitting(destination, max_events=10) as emitter:
        busy(emitter, destination)
        for number in range(25):
            emitter.send(turn().event(event_id=str(number)))
        assert emitter.counts().dropped == 15
        destination.opened.set()
        assert emitter.flush(5)
    assert ids(destination.taken) == ["first", *map(str, range(15, 25))]


def test_control_events_take_the_room_of_interactions() -> None:
    """Until only control events wait: then the caller learns at once that there is no room."""
    destination = HeldDestination(is_open=False)
    with emitting(destination, max_events=3) as emitter:
        busy(emitter, destination)
        for number in range(3):
            emitter.send(turn().event(event_id=str(number)))
        for number in range(3):
            emitter.send(DECIDE.pin("ada", "length", "concise", event_id=f"pin-{number}"))
        with pytest.raises(QueueFullError, match="3 control events wait"):
            emitter.send(DECIDE.forget("ada", event_id="forget"))
        emitter.send(turn().event(event_id="late"))
        assert emitter.counts().dropped == 4
        destination.opened.set()
        assert emitter.flush(5)
    assert ids(destination.taken) == ["first", "pin-0", "pin-1", "pin-2"]


def test_bytes_are_bounded_too() -> None:
    """Long events leave room for fewer."""
    destination = HeldDestination(is_open=False)
    served = {f"facet-{number}": "v" * 40 for number in range(60)}
    with emitting(destination, max_bytes=64 * 1024) as emitter:
        busy(emitter, destination)
        for _ in range(40):
            emitter.send(Turn("ada", "eu", "t", dict(served)).event())
        counts = emitter.counts()
        assert counts.dropped > 0
        assert 10 < counts.waiting < 30


def test_failed_delivery_is_repeated() -> None:
    """In the same order, and each repeat is counted."""
    destination = HeldDestination()
    destination.failures = 3
    with emitting(destination) as emitter:
        for number in range(4):
            emitter.send(turn().event(event_id=str(number)))
        assert emitter.flush(10)
        assert emitter.counts().retried >= 3
    assert ids(destination.taken) == ["0", "1", "2", "3"]


def test_failed_event_holds_back_later_ones_of_its_user() -> None:
    """Another user's event is not sent twice."""
    destination = HeldDestination(is_open=False)
    destination.outcomes = [[ACCEPTED], [ACCEPTED, Outcome("failed"), ACCEPTED, ACCEPTED]]
    with emitting(destination) as emitter:
        busy(emitter, destination)
        for number, user in enumerate(["ada", "ben", "ada", "ben"]):
            emitter.send(turn(user).event(event_id=str(number)))
        destination.opened.set()
        assert emitter.flush(10)
        assert emitter.counts() == (0, 5, 2, 0, {})
    assert destination.attempts == [1, 4, 2]


def test_rejected_event_is_counted_by_reason() -> None:
    """And not repeated."""
    destination = HeldDestination()
    destination.outcomes = [[Outcome("rejected", "not_in_catalogue")]]
    with emitting(destination) as emitter:
        emitter.send(turn().event())
        assert emitter.flush(5)
        assert emitter.counts() == (0, 0, 0, 0, {"not_in_catalogue": 1})


def test_broken_destination_does_not_end_the_delivery(caplog: pytest.LogCaptureFixture) -> None:
    """The fault is logged, and the events wait."""
    destination = HeldDestination()
    with emitting(destination) as emitter:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(destination, "deliver", lambda _: 1 / 0)
            emitter.send(turn().event())
            eventually(lambda: "destination_broken" in caplog.text, within_s=5, what="the log line")
        assert emitter.flush(5)
    assert len(destination.taken) == 1


@pytest.mark.parametrize("wrong", [[], [ACCEPTED, ACCEPTED], ["accepted"], None], ids=["few", "many", "text", "none"])
def test_destination_without_an_outcome_per_event_gets_the_events_again(wrong: Any) -> None:
    """The delivery does not end, and no event counts as sent before its outcome is known."""
    destination = HeldDestination()
    with emitting(destination) as emitter:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(destination, "deliver", lambda _: wrong)
            emitter.send(turn().event())
            eventually(lambda: emitter.counts().retried, within_s=5, what="the second delivery")
            assert emitter.counts().sent == 0
        assert emitter.flush(5)
        assert emitter.counts().sent == 1
    assert len(destination.taken) == 1


def test_outage_is_logged_once_without_a_user(caplog: pytest.LogCaptureFixture) -> None:
    """Its beginning and its end."""
    destination = HeldDestination()
    destination.failures = 3
    with emitting(destination) as emitter:
        emitter.send(turn("ada-of-the-log").event())
        assert emitter.flush(10)
        eventually(lambda: "recovered" in caplog.text, within_s=5, what="the recovery")
    assert [record.getMessage().partition(" ")[0] for record in caplog.records] == [
        "sender.delivery_failed",
        "sender.delivery_recovered",
    ]
    assert "ada-of-the-log" not in caplog.text


def test_event_outside_the_catalogue_is_an_error_with_its_member() -> None:
    """Before anything is sent."""
    destination = HeldDestination()
    with Emitter(destination, catalogue=Catalogue.load()) as emitter, pytest.raises(EventError) as caught:
        emitter.send(DECIDE.pin("ada", "length", "short"))
    assert caught.value.member == "value"
    assert emitter.counts() == (0, 0, 0, 0, {})


def test_event_against_the_contract_is_an_error_with_its_member() -> None:
    """Also without a catalogue."""
    with Emitter(HeldDestination()) as emitter, pytest.raises(EventError) as caught:
        emitter.send(Forget(schema=1, event_id="e-1", user_id="ada", at=5, region="eu"))
    assert caught.value.member == "at"


def test_close_settles_all_events_and_ends_the_thread() -> None:
    """Later interactions count as dropped; a later control event is an error."""
    destination = HeldDestination()
    emitter = Emitter(destination)
    emitter.send(turn().event())
    assert emitter.close()
    assert destination.is_closed
    assert len(destination.taken) == 1
    emitter.send(turn().event())
    assert emitter.counts().dropped == 1
    with pytest.raises(QueueFullError, match="closed"):
        emitter.send(DECIDE.forget("ada"))


def test_close_within_its_limit_counts_what_is_left(caplog: pytest.LogCaptureFixture) -> None:
    """And logs the number."""
    destination = HeldDestination(is_open=False)
    with emitting(destination) as emitter:
        busy(emitter, destination)
        emitter.send(DECIDE.forget("ada"))
        assert not emitter.close(timeout_s=0.01)
        destination.opened.set()
        eventually(lambda: emitter.counts().waiting == 0, within_s=5, what="the end of the thread")
        assert emitter.counts()[1:4] == (1, 0, 1)
    eventually(lambda: "sender.events_lost count=1" in caplog.text, within_s=5, what="the log line")


def test_fork_begins_with_an_empty_queue() -> None:
    """The parent delivers its events once, the child its own."""
    destination = HeldDestination(is_open=False)
    read, write = os.pipe()
    with emitting(destination) as emitter:
        busy(emitter, destination)
        emitter.send(turn().event(event_id="parents"))
        pid = os.fork()
        if pid == 0:  # the child has no other thread, and reports by the pipe
            destination.opened.set()
            emitter.send(turn().event(event_id="childs"))
            found = emitter.flush(5) and ids(destination.taken) == ["childs"] and emitter.counts().sent == 1
            os.write(write, b"1" if found else b"0")
            os._exit(0)
        os.waitpid(pid, 0)
        assert os.read(read, 1) == b"1"
        destination.opened.set()
        assert emitter.flush(5)
    assert ids(destination.taken) == ["first", "parents"]


AT_EXIT = """
import sys
from tacit import ControlEvents, Emitter, EventFile
emitter = Emitter(EventFile(sys.argv[1]))
emitter.send(ControlEvents("eu").forget("ada", event_id="last"))
"""


def test_end_of_the_process_delivers_what_waits(tmp_path: Path) -> None:
    """Without a call of `close`."""
    log = tmp_path / "events.jsonl"
    subprocess.run([sys.executable, "-c", AT_EXIT, str(log)], check=True, timeout=20)
    assert [decode_event(line).event_id for line in log.read_bytes().splitlines()] == ["last"]


def test_end_of_the_process_does_not_wait_long_for_a_dead_destination(tmp_path: Path) -> None:
    """`CLOSE_S` at most, here 0.1 s, for all emitters together."""
    code = f"from tacit.sender import emitter as e; e.CLOSE_S = 0.1\n{AT_EXIT}"
    missing = tmp_path / "missing" / "events.jsonl"
    done = subprocess.run(
        [sys.executable, "-c", code, str(missing)], check=True, timeout=10, capture_output=True, text=True
    )
    assert "sender.delivery_failed reason=file: No such file or directory" in done.stderr
    assert "ada" not in done.stderr


@pytest.mark.parametrize("limits", [{"max_events": 0}, {"max_bytes": 1}, {"linger_s": 1.0}, {"linger_s": -1.0}])
def test_limits_outside_their_range_are_errors(limits: dict[str, Any]) -> None:
    """At the start."""
    with pytest.raises(ConfigurationError, match="emitter: max_events from 1"):
        Emitter(HeldDestination(), **limits)


def test_flush_ends_a_pause() -> None:
    """With long pauses between attempts, a flush tries at once."""
    destination = HeldDestination()
    destination.failures = 2
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Backoff, "pause_s", lambda *_, **__: 60.0)
        with emitting(destination) as emitter:
            emitter.send(turn().event())
            eventually(lambda: len(destination.attempts) == 1, within_s=5, what="the first attempt")
            assert not emitter.flush(0.2)
            assert emitter.flush(5)
