"""Control of users from event to reader: pins win, opt-outs hold, a forget deletes, user ids are stored nowhere."""

import json
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any, Literal

import pytest
import redis

from tacit import Adaptation, Catalogue, SignalReader
from tacit.contract.gates import decode_gate
from tacit.contract.pseudonyms import pseudonym, pseudonym_text
from tests.support.commands import SECRET, everything_in, running, tacit
from tests.support.factories import make_event
from tests.support.monitoring_client import get
from tests.support.ports import free_port
from tests.support.replays import now_ms, redis_of_its_own, replay, write_history, write_lines

MINUTE_MS = 60_000
DEFAULT_LENGTH = "balanced"

Event = Mapping[str, Any]


class Deployment:
    """Redis, a state folder, and the growing input of one user."""

    def __init__(self, url: str, client: redis.Redis, folder: Path) -> None:
        self.url, self.client = url, client
        self._folder = folder
        self._clock_ms = now_ms() - 24 * 60 * MINUTE_MS
        self._numbers = count()
        self._path = folder / "events.jsonl"
        self._path.touch()

    def append(self, *events: Event) -> None:
        """Append events, a minute apart, and replay the new ones."""
        with self._path.open("ab") as file:
            for event in events:
                self._clock_ms += MINUTE_MS
                record = make_event(event_id=f"e-{next(self._numbers)}", at=self._clock_ms, **event)
                file.write(json.dumps(record).encode() + b"\n")
        replay(self.url, self._path, "--state", self._folder / "state", "--namespace", "story", cwd=self._folder)

    def read(self) -> Adaptation:
        """Return the adaptation that an assistant reads."""
        with SignalReader(self.url, region="eu", secret=SECRET, namespace="story") as reader:
            return reader.get("ada")

    def keys(self) -> list[str]:
        """Return the keys of the user."""
        return sorted(
            key for key in everything_in(self.client) if pseudonym_text(pseudonym("ada", SECRET.encode())) in key
        )


def consent(granted: bool) -> Event:
    return {"type": "consent", "granted": granted}


def pin(value: str | None) -> Event:
    return {"type": "pin", "facet": "length", "value": value}


def liked(value: str, times: int = 20) -> list[Event]:
    served = {"served": {"length": value}, "feedback": {"kind": "thumbs_up"}}
    disliked = {"served": {"length": "balanced"}, "feedback": {"kind": "thumbs_down"}}
    return [served, disliked] * times


@pytest.fixture
def story(tmp_path: Path) -> Iterator[Deployment]:
    """Begin with a user who has opted in and likes detailed answers."""
    with redis_of_its_own() as (url, client):
        deployment = Deployment(url, client, tmp_path)
        deployment.append(consent(granted=True), *liked("detailed"))
        yield deployment


def _length(adaptation: Adaptation) -> tuple[str, str] | None:
    signal = adaptation.signals.get("length")
    return None if signal is None else (signal.source, signal.value)


def test_learned_preference_reaches_the_prompt(story: Deployment) -> None:
    """The prompt follows the feedback, and the signal lists the reasons for the value."""
    adaptation = story.read()
    assert _length(adaptation) == ("learned", "detailed")
    assert dict(adaptation.signals["length"].why).keys() == {"thumbs_up"}
    assert "Give thorough answers with the details." in adaptation.choose(unit="c-1").prompt()


def test_pinned_value_wins_until_unpinned(story: Deployment) -> None:
    """A pin wins over later feedback, too; after the unpin the learned value returns."""
    story.append(pin("concise"), *liked("detailed"))
    assert _length(story.read()) == ("user", "concise")
    assert all(story.read().choose(unit=f"c-{n}").values["length"] == "concise" for n in range(100))
    story.append(pin(None))
    assert _length(story.read()) == ("learned", "detailed")


def test_answered_question_is_not_asked_again(story: Deployment) -> None:
    """Not by any process: a pin answers it, and so does the removal of a pin that never was, for "no preference"."""
    facets = Catalogue.load().facets
    asked: list[str] = []
    while question := story.read().describe(unit=f"c-{len(asked)}").question:
        value = None if len(asked) % 2 else facets[question.facet].values[0]
        story.append({"type": "pin", "facet": question.facet, "value": value})
        asked.append(question.facet)
    assert len(asked) == len(set(asked)) == 3
    assert story.read().decided == set(asked)


def test_opt_out_leaves_only_itself(story: Deployment) -> None:
    """Learned state is deleted, and later events are ignored; the reader reports the opt-out and returns defaults."""
    story.append(consent(granted=False), *liked("concise"))
    adaptation = story.read()
    assert (adaptation.status, adaptation.signals, adaptation.profile) == ("opted_out", {}, None)
    assert adaptation.choose(unit="c-1").values["length"] == DEFAULT_LENGTH
    signals, gate, history = story.keys()
    assert list(story.client.hgetall(signals)) == ["_status"]
    assert json.loads(everything_in(story.client)[history])["changes"] == []
    assert decode_gate(everything_in(story.client)[gate].encode()).use.state == "denied"
    assert {*adaptation.consent} == {"denied"}


def test_opt_in_after_an_opt_out_starts_from_the_prior_and_shows_pins_again(story: Deployment) -> None:
    """Pins were hidden and return; learned state is deleted."""
    story.append(pin("concise"), consent(granted=False))
    assert _length(story.read()) is None
    story.append(consent(granted=True))
    assert _length(story.read()) == ("user", "concise")
    story.append(pin(None))
    adaptation = story.read()
    assert _length(adaptation) is None
    assert adaptation.choose(unit="c-1").values["length"] == DEFAULT_LENGTH


def test_denied_use_hides_signals_and_deletes_nothing(story: Deployment) -> None:
    """The user reads defaults; what was learned meanwhile shows when the user allows the use again."""
    before = story.read()
    story.append({**consent(granted=False), "scope": ["use"]}, pin("concise"), *liked("detailed", times=2))
    denied = story.read()
    assert (denied.status, denied.signals, denied.consent) == ("opted_out", {}, ("granted", "denied", "granted"))
    story.append({**consent(granted=True), "scope": ["use"]})
    after = story.read()
    assert after.consent == ("granted", "granted", "granted")
    assert _length(after) == ("user", "concise")
    assert after.signals.keys() == before.signals.keys()


def test_denied_exploration_keeps_signals(story: Deployment) -> None:
    """Each value then has the propensity 1."""
    story.append({**consent(granted=False), "scope": ["explore"]})
    adaptation = story.read()
    assert _length(adaptation) == ("learned", "detailed")
    choices = [adaptation.choose(unit=f"c-{n}") for n in range(100)]
    assert {entry["propensity"] for choice in choices for entry in choice.acted_on} == {1.0}


def test_forget_of_a_facet_keeps_the_others(story: Deployment) -> None:
    """Only the signal of this facet is deleted."""
    others = story.read().signals.keys() - {"length"}
    story.append({"type": "forget", "facets": ["length"]})
    adaptation = story.read()
    assert adaptation.signals.keys() == others
    assert adaptation.choose(unit="c-1").values["length"] == DEFAULT_LENGTH


def test_forget_deletes_all_but_the_time_of_the_wipe(story: Deployment) -> None:
    """Signals, pins and consent are deleted, so later events are rejected as unconsented."""
    story.append(pin("concise"), {"type": "forget"}, *liked("concise"))
    adaptation = story.read()
    assert (adaptation.status, adaptation.signals, adaptation.profile) == ("absent", {}, None)
    gate, history = story.keys()
    assert gate.endswith(":gate")
    kept = json.loads(everything_in(story.client)[history])
    assert ([action["action"] for action in kept["actions"]], kept["changes"]) == (["forget"], [])


def test_opt_out_reaches_every_namespace(story: Deployment, tmp_path: Path) -> None:
    """A replay of the events before the opt-out cannot write signals to any namespace."""
    before = (tmp_path / "events.jsonl").read_bytes()
    story.append(consent(granted=False))
    old = tmp_path / "old.jsonl"
    old.write_bytes(before)
    summary = replay(story.url, old, "--namespace", "shadow", cwd=tmp_path)
    assert (summary["accepted"], summary["signals"]["applied"]) == (41, 0)
    assert summary["signals"]["gated"] > 0


@pytest.mark.parametrize("output", ["json", "text"])
def test_show_prints_the_adaptation_of_the_reader(output: Literal["json", "text"], story: Deployment) -> None:
    """As JSON and as text."""
    story.append(pin("concise"))
    arguments = ("show", "ada", "--redis", story.url, "--namespace", "story")
    done = tacit(*arguments, *(["--json"] if output == "json" else []))
    assert done.returncode == 0
    if output == "json":
        shown = json.loads(done.stdout)
        assert (shown["status"], shown["signals"]["length"]["source"]) == ("fresh", "user")
        assert shown["choice"]["values"]["length"] == "concise"
    else:
        assert "set by the user" in done.stdout
        assert "Keep answers short." in done.stdout


def test_user_ids_are_stored_nowhere(tmp_path: Path) -> None:
    """Keys, values, logs, metrics, rejects and all files of the state folder hold no user id."""
    history = tmp_path / "events.jsonl"
    write_history(history, users=50, turns=30_000)
    write_lines(tmp_path / "more.jsonl", [make_event(user_id="user-000001", topic="nonsense", at=now_ms())] * 3)
    port = free_port()
    arguments = ["replay", str(history), "more.jsonl", "--state", "state", "--metrics", f"127.0.0.1:{port}"]
    with redis_of_its_own() as (url, client):
        with running([*arguments, "--redis", url, "--checkpoint-every", "1"], tmp_path / "log") as run:
            run.wait_for(lambda: client.dbsize() > 10, "the first signals")
            metrics = get(port, "/metrics")[1]
            assert run.process.wait(60) == 0
        held = repr(everything_in(client)).encode()
    places = [tmp_path / "log", tmp_path / "tacit-rejects.jsonl", *(tmp_path / "state").rglob("*")]
    written = {str(path): path.read_bytes() for path in places if path.is_file()}
    assert b"user-0000" in history.read_bytes()
    assert b"tacit_events_total" in metrics
    assert len(written) > 5
    for place, content in {"redis": held, "metrics": metrics, **written}.items():
        assert b"user-0000" not in content, place
