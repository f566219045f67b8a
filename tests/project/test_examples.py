"""The examples run as they are: a style is served, and its feedback is an accepted event with propensities."""

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from fastapi.testclient import TestClient

from connectors.redis.signal_writer import SignalWriter
from connectors.redis.target import Target
from examples.feedback import feedback_event
from examples.service import app
from state.catalogue.numbered import NumberedCatalogue
from state.counters import SinkCounters
from state.events.observation import Observation
from tacit import SignalReader
from tacit.contract.pseudonyms import pseudonym
from tests.support.commands import SECRET, environment
from tests.support.factories import START_MS
from tests.support.parser import accepted
from tests.support.sample_signals import NOW_MS, signal, write

SHIPPED = NumberedCatalogue.load()
EXAMPLES = Path(__file__).parents[2] / "examples"


@pytest.fixture
def settings(redis_url: str) -> dict[str, str]:
    """Return the environment of the examples, with a user, Ada, who likes concise answers."""
    emitted = signal("concise", NOW_MS, explore=0.05)
    with closing(SignalWriter(Target(redis_url, "eu"), SinkCounters())) as writer:
        writer.write([write(("length", emitted), user=pseudonym("ada", SECRET.encode()))])
    return {"TACIT_REDIS": redis_url, "TACIT_SECRET": SECRET}


def test_service_gives_the_style_of_a_conversation(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """The same for the same conversation, with what goes back."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    with TestClient(app) as client:
        answers: list[dict[str, Any]] = [
            client.get("/style/ada", params={"conversation": f"c-{n // 2}"}).json() for n in range(40)
        ]
    assert answers[::2] == answers[1::2]
    assert {one["served"]["length"] for one in answers} >= {"concise"}
    usual = next(one for one in answers if one["served"]["length"] == "concise")
    assert usual["prompt"].startswith("Keep answers short.")
    followed = {
        "facet": "length",
        "value": "concise",
        "version": signal("", NOW_MS).v,
        "propensity": 1.0,
    }  # no consent to explore
    assert usual["acted_on"][0] == followed


def test_service_answers_without_redis(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the defaults."""
    monkeypatch.setenv("TACIT_REDIS", "redis://127.0.0.1:1")
    monkeypatch.setenv("TACIT_SECRET", SECRET)
    with TestClient(app) as client:
        assert client.get("/style/ada", params={"conversation": "c-1"}).json()["served"]["length"] == "balanced"


def test_service_counts_reads_by_status(settings: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator's rules need the name and the label."""
    for name, value in settings.items():
        monkeypatch.setenv(name, value)

    def counted() -> int:
        found = [line for line in client.get("/metrics").text.splitlines() if line.startswith("tacit_reads_total{")]
        return sum(int(float(line.split()[1])) for line in found if 'status="absent"' in line)

    with TestClient(app) as client:
        before = counted()
        client.get("/style/nora", params={"conversation": "c-1"})
        assert counted() == before + 1


def test_feedback_goes_back_with_its_propensity(settings: dict[str, str]) -> None:
    """As an event that is accepted, and whose choices are known."""
    with SignalReader(settings["TACIT_REDIS"], region="eu", secret=SECRET) as reader:
        choice = reader.get("ada").choose(unit="c-1")
    observation: Observation = accepted(feedback_event("ada", "c-1-1", choice, "thumbs_up") | {"at": START_MS}, SHIPPED)
    assert len(observation.acted) == len(choice.values) == len(observation.slots)
    assert observation.acted[0][1] == choice.acted_on[0]["propensity"]


def test_feedback_has_the_proposals_of_an_apprentice(settings: dict[str, str]) -> None:
    """The event is their only log."""
    catalogue = msgspec.structs.replace(SHIPPED, mode="apprentice")
    with SignalReader(settings["TACIT_REDIS"], region="eu", secret=SECRET, catalogue=catalogue) as reader:
        choice = reader.get("ada").choose(unit="c-1")
    event = feedback_event("ada", "c-1-1", choice, "thumbs_up")
    assert (event["served"]["length"], event["proposed"][0]["value"]) == ("balanced", "concise")
    observation = accepted(event | {"at": START_MS}, SHIPPED)
    assert len(observation.proposed) == len(choice.proposed) == len(SHIPPED.facets)


def test_feedback_is_a_line_of_a_history(settings: dict[str, str]) -> None:
    """The command, as its documentation has it."""
    done = subprocess.run(
        [sys.executable, EXAMPLES / "feedback.py", "ada", "c-1", "thumbs_up"],
        capture_output=True,
        text=True,
        env=environment() | settings,
        check=True,
    )
    (line,) = done.stdout.splitlines()
    assert accepted(json.loads(line) | {"at": START_MS}, SHIPPED).feedback >= 0
