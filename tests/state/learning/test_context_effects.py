"""state/learning/context_effects: rows of contexts, and the training of effects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.learning.context_effects import ROWS, UNIT, VARIANCE, ContextEffects
from tests.support.factories import CATALOGUE

TERMS = 8
CODE, EMAIL, NEW = 1, 4, 99


def taught(contexts: ContextEffects, key: int, weight: float = 1.0, term: int = 0) -> list[int]:
    rows = list(contexts.open([key]).rows)
    contexts.update(rows, [(term, 1.0)], mean_step=0.8, weight=weight)
    return rows


def full() -> ContextEffects:
    contexts = ContextEffects(TERMS)
    for key in [*range(1, ROWS + 1)] * 2:
        taught(contexts, key)
    return contexts


def test_effect_moves_by_its_variance() -> None:
    """In the context of the feedback alone."""
    contexts = ContextEffects(TERMS)
    (code,) = taught(contexts, CODE)
    (email,) = taught(contexts, EMAIL, term=1)
    effects = [effect * UNIT for effect in contexts.effects]
    assert effects[code * TERMS] == pytest.approx(0.8 * VARIANCE, rel=0.01)
    assert effects[email * TERMS + 1] == pytest.approx(0.8 * VARIANCE, rel=0.01)
    assert sum(effect != 0 for effect in contexts.effects) == 2


def test_effects_of_both_contexts_are_added_to_the_shares() -> None:
    """By facet, with the factor of each value, and with both variances."""
    slots = (CATALOGUE.slot_index["format"]["code"], CATALOGUE.slot_index["length"]["concise"])
    facets, terms = CATALOGUE.slot_facets, CATALOGUE.context_terms
    contexts = ContextEffects(TERMS)
    rows = [*taught(contexts, CODE, term=terms[slots[0]][0]), *taught(contexts, EMAIL, term=terms[slots[1]][0])]
    shares = {facets[slot]: 0.0 for slot in slots}
    mean, variance = contexts.add_to(shares, rows, slots, facets, terms)
    assert shares[facets[slots[0]]] == pytest.approx(0.8 * VARIANCE, rel=0.01)
    assert shares[facets[slots[1]]] == pytest.approx(-0.8 * VARIANCE, rel=0.01)
    assert mean == pytest.approx(0.0, abs=1e-3)
    assert variance == pytest.approx(4 * VARIANCE, rel=0.03)


def test_new_context_waits_until_a_row_has_faded() -> None:
    """Each attempt fades all rows, so contexts that are over make room, and effects start at 0."""
    contexts = full()
    taught(contexts, CODE)
    assert contexts.open([NEW]) == ([], [])
    while not (opened := contexts.open([NEW]).opened):
        pass
    (row,) = opened
    assert contexts.keys[row] == NEW
    assert CODE in contexts.keys
    assert not any(contexts.effects[row * TERMS : (row + 1) * TERMS])


def test_growing_keeps_all_effects() -> None:
    """A value that joins the catalogue is a term behind the others."""
    contexts = full()
    before = [contexts.effects[row * TERMS] for row in range(ROWS)]
    contexts.grow(TERMS + 2)
    assert [contexts.effects[row * (TERMS + 2)] for row in range(ROWS)] == before
    assert len(contexts.effects) == ROWS * (TERMS + 2)


def test_forgotten_terms_are_new_in_all_contexts() -> None:
    """Rows and their weights stay, for the other facets."""
    contexts = full()
    contexts.forget([0])
    assert not any(contexts.effects)
    assert all(contexts.keys)


@given(st.lists(st.tuples(st.integers(1, 20), st.floats(-8.0, 8.0), st.floats(0.0, 1.0)), max_size=80))
def test_effects_stay_in_their_bounds(feedback: list[tuple[int, float, float]]) -> None:
    """No overflow, and a row per context at most, for any feedback."""
    contexts = ContextEffects(TERMS)
    for key, step, weight in feedback:
        contexts.update(contexts.open([key]).rows, [(2, 1.0)], step * 100, weight)
        known = [key for key in contexts.keys if key]
        assert len(set(known)) == len(known)
        assert all(0 < contexts.variance(row) <= VARIANCE for row in range(ROWS))
