"""state/learning/context_decisions: for any row, the choices of the reference, in general and in contexts."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state.learning.context_decisions import (
    MAX_CONTEXTS,
    POPULATION_FROM,
    Context,
    contexts_at,
    contexts_of,
    decide_all,
    decide_in,
)
from state.learning.decisions import NO_ROW, Beliefs, Decision, decide, liking
from state.learning.population_prior import Effects, Prior
from state.learning.population_version import Gaussian, PopulationVersion
from state.row.layout import MAX_TOPICS_KEPT, ROWS
from state.user.user_state import UserState
from tests.reference import beliefs as reference_beliefs
from tests.reference import decisions as reference
from tests.state.learning.test_decisions import BULLETS, CODE, FORMAT, PROSE, TABLE, choice
from tests.support.factories import CATALOGUE, START_MS
from tests.support.user_models import all_means, all_variances

ALONE = Prior(CATALOGUE)
VERSION = PopulationVersion(
    4, 2, START_MS, 1000,
    {
        "bias": Gaussian(0.3, 0.01),
        "length=concise": Gaussian(0.4, 0.02),
        "topic:code&format=table": Gaussian(0.6, 0.01),
        "topic:data&tone=formal": Gaussian(0.5, 0.01),
        "surface:chat&format=bullets": Gaussian(0.3, 0.05),
        "judged:0": Gaussian(0.2, 0.1),
    },
    {"population": Gaussian(1.1, 0.1), "own:length": Gaussian(1.3, 0.2), "offset": Gaussian(-0.2, 0.0)},
    ("tone",),
)  # fmt: skip
POPULATION = Prior(CATALOGUE, VERSION)
SHIFTED = Prior(CATALOGUE, VERSION)
SHIFTED.shifts = (-0.05, 0.1, -0.2)
PRIORS = [ALONE, POPULATION, SHIFTED]
CODE_KEY = CATALOGUE.topic_keys[CATALOGUE.topic_index["code"]]
LEFT_KEY = 4_000_000_000
"""A context without a name in the catalogue."""

SLOTS, FACETS = len(CATALOGUE.slots), len(CATALOGUE.facet_names)
NUMBERS, SPREADS, WEIGHTS = (st.floats(low, high, width=32) for low, high in ((-3, 3), (2**-10, 1), (0, 100)))
TOPICS = [*range(len(CATALOGUE.topic_index)), 65_535]
KEYS = [*CATALOGUE.topic_keys.values(), *CATALOGUE.surface_keys.values(), LEFT_KEY]


def lists(numbers: st.SearchStrategy[Any], size: int) -> st.SearchStrategy[list[Any]]:
    return st.lists(numbers, min_size=size, max_size=size)


ROW_FIELDS = st.fixed_dictionaries(
    {
        "means": lists(st.sampled_from([0.0, 0.25]) | NUMBERS, SLOTS),
        "variances": lists(SPREADS, SLOTS),
        "slopes": lists(st.just(0.0) | NUMBERS, FACETS),
        "slope_variances": lists(SPREADS, FACETS),
        "bias": NUMBERS,
        "bias_variance": SPREADS,
        "feedback_count": st.integers(0, 255),
        "context_keys": st.permutations([*KEYS, 0, 0, 0]).map(lambda keys: keys[:ROWS]),
        "context_weights": lists(WEIGHTS, ROWS),
        "effects": lists(lists(st.just(0) | st.integers(-32_767, 32_767), CATALOGUE.terms_of(SLOTS)), ROWS),
        "topic_ids": lists(st.sampled_from(TOPICS), MAX_TOPICS_KEPT),
        "topic_weights": lists(st.sampled_from([0.0, 1.0, 2.0]) | WEIGHTS, MAX_TOPICS_KEPT),
    }
)
"""Fields of any row, reached by a stream or not."""


class _Topics(NamedTuple):
    """The topics of a user, as the reference reads them."""

    topic_ids: Sequence[int]
    topic_weights: Sequence[float]


def state_of(fields: dict[str, Any]) -> UserState:
    """Return a state with these fields, and with activity."""
    state = UserState(CATALOGUE)
    state.begin_preferences()
    state.windows.begin()
    for name, numbers in fields.items():
        state.row.array[name][state.row.at] = numbers
    return state


def reference_of(state: UserState, prior: Prior) -> reference.Beliefs:
    """Return the beliefs of the reference about the same user."""
    model, held = state.model, state.row.numbers
    own = reference_beliefs.OwnBeliefs(CATALOGUE)
    own.means, own.variances = all_means(model), all_variances(model)
    own.feedback_count = model.feedback_count
    contexts = own.contexts
    contexts.keys, contexts.weights, contexts.effects = held("context_keys"), held("context_weights"), held("effects")
    topics: Any = _Topics(held("topic_ids"), held("topic_weights"))
    return reference.Beliefs(own, prior, topics)


def plain(found: Decision) -> tuple[int, int, float, int]:
    return found.slot, found.runner_up, found.confidence, found.tier


@settings(max_examples=40)
@given(ROW_FIELDS, st.sampled_from(PRIORS))
def test_decisions_are_those_of_the_reference(fields: dict[str, Any], prior: Prior) -> None:
    """Value, runner-up, confidence to the bit and tier, for any row and every facet."""
    state = state_of(fields)
    beliefs, expected = state.beliefs(prior), reference_of(state, prior)
    for facet in range(FACETS):
        found = decide(beliefs, facet)
        assert list(beliefs.base)[: len(CATALOGUE.facet_slots[facet])] == expected.means(facet)
        assert plain(found) == expected.decide(facet, expected.means(facet))
    for slot in range(SLOTS):
        assert liking(beliefs, slot) == expected.liking(slot)


@settings(max_examples=40)
@given(ROW_FIELDS, st.sampled_from(PRIORS), st.sampled_from([0.5, POPULATION_FROM]))
def test_decisions_in_contexts_are_those_of_the_reference(fields: dict[str, Any], prior: Prior, above: float) -> None:
    """Contexts with own effects come first, then the user's other topics."""
    state = state_of(fields)
    beliefs, expected = state.beliefs(prior), reference_of(state, prior)
    contexts, others = contexts_of(beliefs, beliefs.topics()), expected.contexts()
    assert [(context.key, context.row, shift_of(context, beliefs)) for context in contexts] == [
        (context.key, NO_ROW if context.row is None else context.row, list(context.shift)) for context in others
    ]
    for facet in range(FACETS):
        general = decide(beliefs, facet)
        found = decide_all(beliefs, facet, general, contexts, above)
        there = expected.decide_in(facet, reference.Decision(*plain(general)), others, above)
        assert [(key, plain(decision)) for key, decision in found] == [(one.key, decision) for one, decision in there]


# Contexts


def shift_of(context: Context, beliefs: Beliefs) -> list[float]:
    """Return the population's addition to the general mean, by slot."""
    leaning = beliefs.leaning if context.leans else [0.0] * SLOTS
    return [effect - leaning[slot] for slot, effect in enumerate(context.effects.means)]


def in_code(prior: Prior = ALONE, *, row: int = 0, effect: int = 0) -> Beliefs:
    """Return beliefs of a user with a row for code, and an effect of a table there."""
    state = UserState(CATALOGUE)
    state.begin_preferences()
    state.row.context_keys[0, row] = CODE_KEY
    state.row.effects[0, row, CATALOGUE.context_terms[TABLE][0]] = effect
    return state.beliefs(prior)


def test_effect_of_a_context_decides_there_alone() -> None:
    """The general decision stays; without an effect there is no decision of its own."""
    beliefs = in_code(effect=8192)
    (context,) = contexts_of(beliefs)
    general = decide(beliefs, FORMAT)
    found = decide_in(beliefs, FORMAT, general, context)
    assert found is not None
    assert (general.slot, found.slot, found.runner_up) == (PROSE, TABLE, PROSE)
    assert choice(beliefs) == (PROSE, BULLETS)
    without = in_code()
    assert decide_in(without, FORMAT, decide(without, FORMAT), contexts_of(without)[0]) is None


def test_population_alone_decides_in_a_context_from_its_threshold() -> None:
    """The threshold is a probability of beating the general value in the context."""
    beliefs = in_code(POPULATION)
    general, effects = decide(beliefs, FORMAT), Effects([0.0] * SLOTS)
    effects.means[CODE] = 0.05
    slightly = Context(CODE_KEY, NO_ROW, effects, leans=False)
    assert [key for key, _ in decide_all(beliefs, FORMAT, general, [slightly])] == [CODE_KEY]
    assert decide_all(beliefs, FORMAT, general, [slightly], POPULATION_FROM) == []
    effects.means[CODE] = 2.0
    (found,) = decide_all(beliefs, FORMAT, general, [slightly], POPULATION_FROM)
    assert found.decision.slot == CODE


def test_free_rows_and_contexts_that_left_are_no_contexts() -> None:
    """Rows are asked for by number, in the given order."""
    beliefs = in_code(row=3)
    beliefs.row.context_keys[0, 1] = LEFT_KEY
    assert [context.row for context in contexts_at(beliefs, range(ROWS))] == [3]
    assert contexts_at(beliefs, [0, 1]) == []


def test_topic_with_a_row_is_no_context_twice() -> None:
    """A topic of the user without a row has one with the population's effects; without a population, none."""
    code, data = (CATALOGUE.topic_index[name] for name in ("code", "data"))
    found = contexts_of(in_code(POPULATION), [code, data, 65_535])
    assert [(context.key, context.row) for context in found] == [
        (CODE_KEY, 0), (CATALOGUE.topic_keys[data], NO_ROW),
    ]  # fmt: skip
    assert [context.key for context in contexts_of(in_code(), [code, data])] == [CODE_KEY]


@pytest.mark.parametrize("prior", PRIORS)
def test_contexts_are_bounded(prior: Prior) -> None:
    """Those with own effects come first."""
    beliefs = in_code(prior)
    assert len(contexts_of(beliefs, list(CATALOGUE.topic_keys) * 9)) <= MAX_CONTEXTS
