"""Values by topic and surface, from feedback to the signal."""

import json

import pytest
from msgspec.structs import replace

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import Observation
from state.learning.population_prior import Prior
from state.user import codec
from state.user.rules import Rules
from state.user.user_state import UserState
from tacit.contract.catalogue import Topics
from tacit.contract.signals import Signal, decode_signal
from tests.support.factories import CATALOGUE, RULES, START_MS, USER, make_observation
from tests.support.sample_population import version

FORMAT = CATALOGUE.facet_index["format"]


def feedback(n: int, topic: str, surface: str, value: str, liked: bool) -> Observation:
    kind = "thumbs_up" if liked else "thumbs_down"
    at_ms = START_MS + n * 3_600_000
    return make_observation(at_ms, served={"format": value}, feedback=kind, topic=topic, surface=surface, turn=n + 1)


def mixed_taste(rounds: int = 12) -> list[Observation]:
    """Return the feedback of a user who likes prose in mails and code in the chat."""
    found: list[Observation] = []
    for _ in range(rounds):
        for topic, surface, best in (("email", "mail", "prose"), ("code", "chat", "code")):
            for value in ("prose", "code"):
                found.append(feedback(len(found), topic, surface, value, value == best))
    return found


def signals(state: UserState) -> dict[str, Signal]:
    found: dict[str, Signal] = {}
    for write in state.take_writes(USER, CATALOGUE):
        fields = getattr(write, "fields", ())
        found |= {name: decode_signal(data) for name, data in fields if not name.startswith("_")}
    return found


def observed(history: list[Observation], rules: Rules = RULES) -> UserState:
    state = UserState(CATALOGUE)
    for o in history:
        state.observe(o, rules)
    return state


def at(signal: Signal, context: str) -> str:
    return {entry.context: entry.value for entry in signal.contexts}.get(context, signal.value)


@pytest.mark.parametrize("rules", [RULES, Rules(CATALOGUE, population=Prior(CATALOGUE, version(7)))])
def test_user_has_another_value_on_a_topic_and_a_surface(rules: Rules) -> None:
    """One taste in mails and another one in the chat: the contexts that differ from the general value are named."""
    signal = signals(observed(mixed_taste(), rules))["format"]
    values = {entry.context: entry.value for entry in signal.contexts}
    everywhere = {"topic:email": "prose", "surface:mail": "prose", "topic:code": "code", "surface:chat": "code"}
    assert values == {context: value for context, value in everywhere.items() if value != signal.value}
    assert values
    assert all(0.5 <= entry.confidence <= 1 for entry in signal.contexts)


def test_same_taste_everywhere_has_no_contexts() -> None:
    """Effects of contexts shrink toward the general taste."""
    history = [feedback(n, "email" if n % 2 else "code", "chat", "code", liked=True) for n in range(20)]
    assert signals(observed(history))["format"].contexts == ()


def test_change_in_one_context_emits_the_signal_again() -> None:
    """Each topic has its value, whatever the general one has become."""
    state = observed(mixed_taste(6))
    before = signals(state)["format"]
    assert at(before, "topic:travel") == before.value != "table"
    for n in range(24, 120, 4):
        state.observe(feedback(n, "travel", "voice", "table", liked=True), RULES)
        state.observe(feedback(n + 1, "travel", "voice", before.value, liked=False), RULES)
        state.observe(feedback(n + 2, "email", "mail", "prose", liked=True), RULES)
        state.observe(feedback(n + 3, "code", "chat", "code", liked=True), RULES)
    last = {"format": before, **signals(state)}["format"]
    assert [at(last, f"topic:{topic}") for topic in ("travel", "email")] == ["table", "prose"]


def test_packed_state_keeps_moods_and_effects() -> None:
    """A packed user learns on as a cached one."""
    history = mixed_taste()
    state, other = observed(history[:20]), observed(history[:20])
    other.take_writes(USER, CATALOGUE)
    other = codec.unpack(codec.pack(other), CATALOGUE)
    for o in history[20:]:
        state.observe(o, RULES)
        other.observe(o, RULES)
    state.take_writes(USER, CATALOGUE)
    other.take_writes(USER, CATALOGUE)
    assert codec.pack(state) == codec.pack(other)


def test_signals_with_contexts_are_small() -> None:
    """Bytes of the fields of a user who has another value in each context, without the profile."""
    history, values = [], CATALOGUE.facets["format"].values
    for n in range(200):
        topic, surface = ("email", "code", "travel", "data")[n % 4], ("mail", "chat")[n % 2]
        served = {name: facet.values[(n + n // 4) % len(facet.values)] for name, facet in CATALOGUE.facets.items()}
        kind = "thumbs_up" if served["format"] == values[n % 4] else "thumbs_down"
        at_ms = START_MS + n * 3_600_000
        history.append(make_observation(at_ms, served=served, feedback=kind, topic=topic, surface=surface, turn=n + 1))
    fields: dict[str, bytes] = {}
    state = UserState(CATALOGUE)
    for o in history:
        state.observe(o, RULES)
        for write in state.take_writes(USER, CATALOGUE):
            fields |= dict(getattr(write, "fields", ()))
    assert sum(map(len, fields.values())) <= 3_276
    assert json.loads(fields["format"])["contexts"]


def test_effects_of_a_topic_that_became_sensitive_are_dropped() -> None:
    """Nothing that was learned on the topic stays in the state; other contexts keep their effects."""
    state = observed(mixed_taste())
    state.take_writes(USER, CATALOGUE)
    code, email = (CATALOGUE.topic_keys[CATALOGUE.topic_index[topic]] for topic in ("code", "email"))
    topics = Topics(CATALOGUE.topics.values, (*CATALOGUE.topics.sensitive, "code"))
    found = codec.unpack(codec.pack(state), replace(CATALOGUE, topics=topics))
    assert state.preferences is not None
    assert found.preferences is not None
    before, after = state.preferences.contexts, found.preferences.contexts
    row = before.keys.index(code)
    assert code not in after.keys
    assert (after.keys[row], after.weights[row]) == (0, 0)
    assert not any(after.effects[row])
    assert not any(found.emitted.rank(facet, row) for facet in range(len(CATALOGUE.facet_names)))
    assert CATALOGUE.topic_index["code"] in state.windows.topic_ids
    assert CATALOGUE.topic_index["code"] not in found.windows.topic_ids
    row = before.keys.index(email)
    assert any(before.effects[row])
    assert after.effects[row] == before.effects[row]
    rules = Rules(replace(CATALOGUE, topics=topics))
    found.observe(feedback(1_000, "email", "mail", "prose", liked=True), rules)
    assert not any("code" in entry.context for entry in signals(found)["format"].contexts)


def test_effects_start_again_when_facets_exchange_their_shapes() -> None:
    """The count of terms stays the same, and an effect would go to a value of the other facet."""
    text = """
schema = 1
[consent]
default = "granted"
[facets.a]
title = "A"
values = ["a1", "a2"]
[facets.b]
title = "B"
values = ["b1", "b2"]
ordered = true
[topics]
values = ["x", "y"]
[feedback.liked]
label = true
"""
    before = NumberedCatalogue.parse(text)
    swapped = text.replace("ordered = true\n", "").replace('"a2"]\n', '"a2"]\nordered = true\n')
    after = NumberedCatalogue.parse(swapped)
    state = UserState(before)
    for n in range(6):
        o = make_observation(
            START_MS + n, served={"a": "a2"}, feedback="liked", topic="x", turn=n + 1, catalogue=before
        )
        state.observe(o, Rules(before))
    state.take_writes(USER, before)
    same, other = (codec.unpack(codec.pack(state), catalogue).preferences for catalogue in (before, after))
    assert same is not None
    assert other is not None
    assert before.terms_of(4) == after.terms_of(4)
    assert any(map(any, same.contexts.effects))
    assert not any(map(any, other.contexts.effects))
    assert not any(other.contexts.keys)
