"""tacit/sender/turn: the events of an answer are accepted as they are, and name what was served."""

import json
from dataclasses import FrozenInstanceError, replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.catalogue.numbered import NumberedCatalogue
from tacit import Catalogue, Choice, ConfigurationError, EventError, Turn, encode_event
from tacit.testing import FakeSignalReader
from tests.support.factories import START_MS
from tests.support.parser import accepted

CATALOGUE = Catalogue.load()
NUMBERED = NumberedCatalogue.load()


@pytest.fixture
def choice() -> Choice:
    reader = FakeSignalReader()
    reader.set("ada", length="concise")
    return reader.get("ada").choose(unit="c-1", topic="code", surface="chat")


def test_feedback_is_an_accepted_event_with_its_propensities(choice: Choice) -> None:
    """The values that were served, and each signal that was followed."""
    event = choice.turn("ada", turn_id="t-1").feedback("thumbs_up", at_ms=START_MS)
    observation = accepted(json.loads(encode_event(event)), NUMBERED)
    assert observation.feedback >= 0
    assert len(observation.acted) == len(choice.values) == len(observation.slots)
    assert event.served == dict(choice.values)
    assert (event.topic, event.surface, event.turn_id, event.region) == ("code", "chat", "t-1", "eu")


def test_answer_alone_has_no_feedback(choice: Choice) -> None:
    """And the same turn."""
    turn = choice.turn("ada")
    assert turn.event().feedback is None
    assert turn.event().turn_id == turn.feedback("shorter", facets=["length"]).turn_id == turn.turn_id
    assert turn.event().event_id != turn.event().event_id


def test_names_of_the_answer_outrank_those_of_the_choice(choice: Choice) -> None:
    """An answer may have another topic, and other values, than the choice."""
    turn = choice.turn("ada", topic="email", served={"length": "detailed"}, item="card-1", locale="de")
    event = turn.event()
    assert (event.topic, event.surface, event.served) == ("email", "chat", {"length": "detailed"})
    assert (event.item, event.locale) == ("card-1", "de")


def test_unknown_topic_of_a_choice_counts_as_none(choice: Choice) -> None:
    """As `choose` takes it; one of the turn is an error."""
    assert replace(choice, topic="gardening").turn("ada").event().topic is None
    with pytest.raises(EventError) as caught:
        choice.turn("ada", topic="gardening").event()
    assert caught.value.member == "topic"


def test_proposals_of_an_apprentice_go_back() -> None:
    """The event is their only log."""
    reader = FakeSignalReader(msgspec.structs.replace(CATALOGUE, mode="apprentice"))
    reader.set("ada", length="concise")
    event = reader.get("ada").choose(unit="c-1").turn("ada").feedback("thumbs_up")
    assert event.served is not None
    assert event.proposed is not None
    assert (event.served["length"], event.proposed[0].value) == ("balanced", "concise")


def test_choice_without_a_reader_needs_a_region() -> None:
    """Else the event would have none."""
    choice = Choice({"length": "concise"}, (), CATALOGUE)
    with pytest.raises(ConfigurationError, match="region: this choice comes from no reader"):
        choice.turn("ada")
    assert choice.turn("ada", region="us").event().region == "us"


def test_turn_is_frozen_and_hides_its_user(choice: Choice) -> None:
    """Also where it is logged."""
    turn = choice.turn("ada-of-the-log")
    assert "ada-of-the-log" not in repr(turn)
    with pytest.raises(FrozenInstanceError):
        turn.topic = "email"  # type: ignore[misc]


@pytest.mark.parametrize(
    ("kind", "facets", "member"),
    [
        ("thumbs_sideways", None, "feedback.kind"),
        ("shorter", ["size"], "feedback.facets[0]"),
        ("x" * 41, None, "feedback.kind"),
    ],
)
def test_unknown_feedback_is_an_error_with_its_member(
    kind: str, facets: list[str] | None, member: str, choice: Choice
) -> None:
    """When the event is made."""
    with pytest.raises(EventError) as caught:
        choice.turn("ada").feedback(kind, facets=facets)
    assert caught.value.member == member


@given(user=st.text(max_size=140), turn_id=st.text(min_size=1, max_size=70), kind=st.text(max_size=45))
def test_no_error_repeats_a_value(user: str, turn_id: str, kind: str) -> None:
    """A member of an event may be an address, or a text of the user."""
    turn = Turn(f"<<{user}>>", "eu", f"<<{turn_id}>>", {"length": f"<<{kind}>>"}, catalogue=CATALOGUE)
    with pytest.raises(EventError) as caught:
        turn.feedback(f"<<{kind}>>")
    assert "<<" not in str(caught.value)
