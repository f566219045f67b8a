"""state/user/emitter: signals of the present user, put into an outbox when they have changed."""

import json
from typing import Any

import pytest

from state.learning.context_decisions import contexts_of, decide_all
from state.learning.decisions import decide, find
from state.learning.population_prior import Prior
from state.learning.signals import learned_signal
from state.row.layout import layout_of, sizes_of
from state.row.row import Row
from state.user.emitter import Emitter
from state.user.outbox import Outbox
from state.user.parts import Waiting
from state.user.user_state import UserState
from state.user.windows import DAY_MS, MINUTE_MS, PANE_MS
from tacit.contract.signals import PROFILE, decode_signal
from tests.state.user.test_contexts import mixed_taste
from tests.support.factories import CATALOGUE, RULES, START_MS, USER, make_observation
from tests.support.sample_population import version

PRIOR = Prior(CATALOGUE)
WITH_POPULATION = Prior(CATALOGUE, version(7))
FACETS = range(len(CATALOGUE.facet_names))
LENGTH, FORMAT = CATALOGUE.facet_index["length"], CATALOGUE.facet_index["format"]


def lived(rounds: int = 6) -> UserState:
    """Return a user who likes other formats in mails than in chats, with empty outboxes."""
    state = UserState(CATALOGUE)
    for o in mixed_taste(rounds):
        state.observe(o, RULES)
    state.take_writes(USER, CATALOGUE)
    return state


def taken(emitter: Emitter, outbox: Outbox, explores: bool = True) -> dict[str, dict[str, Any]]:
    return {name: json.loads(content) for name, content in emitter.take(outbox, explores)}


# Signals


@pytest.mark.parametrize("prior", [PRIOR, WITH_POPULATION], ids=["alone", "with a population"])
def test_emitted_signal_is_the_present_decision(prior: Prior) -> None:
    """With the user's clock and count, and the values in contexts."""
    state, outbox = lived(), Outbox()
    state.emitter.emit_facets(outbox, prior, FACETS, False)
    found = dict(state.emitter.take(outbox, True))
    beliefs = state.beliefs(prior)
    for facet, name in enumerate(CATALOGUE.facet_names):
        decision = decide(beliefs, facet)
        contexts = decide_all(beliefs, facet, decision, contexts_of(beliefs, beliefs.topics()))
        expected = learned_signal(CATALOGUE, find(beliefs, facet, decision, state.newest_ms, state.seq, contexts))
        assert decode_signal(found[name]).contexts == expected.contexts
        assert decode_signal(found[name]) == expected


def test_signal_that_is_shown_leaves_the_record() -> None:
    """A rebuild and an explanation emit without a trace in the row."""
    state, outbox = lived(), Outbox()
    before = state.row.read()
    state.emitter.emit_facets(outbox, PRIOR, FACETS, False)
    state.emitter.emit_present_profile(outbox)
    taken(state.emitter, outbox)
    assert state.row.read() == before


def test_recorded_signal_does_not_differ() -> None:
    """The record has value, tier, confidence, evidence, time and ranks."""
    state, outbox = lived(), Outbox()
    state.emitted.retract_all()
    state.emitter.emit_facets(outbox, PRIOR, [FORMAT], True)
    beliefs = state.beliefs(PRIOR)
    decision = decide(beliefs, FORMAT)
    assert not state.emitted.differs(FORMAT, decision)
    assert state.emitted.differs(LENGTH, decide(beliefs, LENGTH))
    assert state.row.numbers("emitted_ms")[FORMAT] == state.newest_ms
    ranks = {
        context.row: CATALOGUE.slot_ranks[there[0].decision.slot]
        for context in contexts_of(beliefs)
        if (there := decide_all(beliefs, FORMAT, decision, [context]))
    }
    assert ranks
    assert {n: rank for n, rank in enumerate(state.row.numbers("emitted_ranks")[FORMAT]) if rank} == ranks


def test_unchanged_decisions_are_not_emitted() -> None:
    """In general, and in the contexts of the answer; a new context drops the values of its row."""
    state, outbox = lived(), Outbox()
    state.emitter.emit_facets(Outbox(), PRIOR, FACETS, True)
    rows = [n for n, key in enumerate(state.model.contexts.keys) if key]
    state.emitter.emit_learned(outbox, PRIOR, list(FACETS), rows, [])
    assert not outbox
    place = next(place for place in rows if state.emitted.rank(FORMAT, place))
    state.emitter.emit_learned(outbox, PRIOR, [], [], [place])
    assert not outbox
    assert state.emitted.rank(FORMAT, place) == 0
    state.emitter.emit_learned(outbox, PRIOR, [FORMAT], [place], [])
    assert list(outbox.findings) == [FORMAT]
    assert state.emitted.rank(FORMAT, place)


def test_due_signals_are_those_of_the_catalogue() -> None:
    """None of a user without preferences, and none before the time."""
    state, outbox = lived(), Outbox()
    emitted_ms = max(state.row.numbers("emitted_ms"))
    state.emitter.emit_due(outbox, PRIOR, 1)
    assert not outbox
    state.emitter.emit_due(outbox, PRIOR, emitted_ms + 1)
    assert list(outbox.findings) == [FORMAT]
    unknown = UserState(CATALOGUE)
    unknown.observe(make_observation(START_MS), RULES)
    other = Outbox()
    unknown.emitter.emit_due(other, PRIOR, emitted_ms + 1)
    assert not other


def test_exploration_is_shown_to_those_who_allow_it() -> None:
    """All else of a signal stays."""
    state, shown, hidden = lived(), Outbox(), Outbox()
    for outbox in (shown, hidden):
        state.emitter.emit_facets(outbox, PRIOR, [FORMAT], False)
    with_it, without = taken(state.emitter, shown), taken(state.emitter, hidden, explores=False)
    assert with_it["format"].get("explore", 0.0) > 0.0
    assert without["format"].get("explore", 0.0) == 0.0
    assert {**with_it["format"], "explore": 0} == {**without["format"], "explore": 0}


# Profiles


def test_profile_is_emitted_once_in_a_pane() -> None:
    """With the numbers of that moment, although the row changes until the outbox is taken."""
    state = UserState(CATALOGUE)
    state.observe(make_observation(START_MS, topic="code"), RULES)
    outbox = state.waiting.outbox
    assert outbox.profile is not None
    state.observe(make_observation(START_MS + 1, topic="email"), RULES)
    found = taken(state.emitter, outbox)[PROFILE]
    assert (found["v"], found["topics"], found["activity"]["1h"]) == (f"{START_MS}-0000000001", [["code", 1.0]], 1)
    state.emitter.emit_profile(outbox)
    assert not outbox
    state.observe(make_observation(START_MS + PANE_MS), RULES)
    assert outbox.profile is not None


def test_taken_outbox_is_empty() -> None:
    """Nothing is written twice."""
    state, outbox = lived(), Outbox()
    state.emitter.emit_facets(outbox, PRIOR, FACETS, False)
    state.emitter.emit_present_profile(outbox)
    assert len(state.emitter.take(outbox, True)) == len(FACETS) + 1
    assert not outbox
    assert state.emitter.take(outbox, True) == ()


# Many users of one table


def test_users_of_a_table_have_the_signals_of_users_alone() -> None:
    """One emitter serves all rows of a table, in any order, with an outbox for each user."""
    table, alone = Row(layout_of(sizes_of(CATALOGUE)), 3), [UserState(CATALOGUE) for _ in range(3)]
    shared, waiting = UserState(CATALOGUE, table), [Waiting() for _ in range(3)]
    for place in range(3):
        table.move_to(place)
        table.write(table.layout.blank)
    values = CATALOGUE.facets["length"].values
    for n in range(60):
        place = n * 7 % 3
        at_ms = START_MS + n * MINUTE_MS + (20 * DAY_MS if n > 45 else 0)
        o = make_observation(
            at_ms, event=n + 1, served={"length": values[place]}, feedback="thumbs_up", topic="code", turn=n + 1
        )
        shared.move_to(place, waiting[place])
        assert shared.observe(o, RULES) == alone[place].observe(o, RULES)
        if n % 4 == 0:
            assert shared.take_writes(USER, CATALOGUE) == alone[place].take_writes(USER, CATALOGUE)
    for place in range(3):
        shared.move_to(place, waiting[place])
        assert shared.take_writes(USER, CATALOGUE) == alone[place].take_writes(USER, CATALOGUE)
        assert table.read() == alone[place].row.read()
