"""state/learning/context_effects: rows of contexts, and the training of effects."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.catalogue.numbered import NumberedCatalogue
from state.learning.answer_part import AnswerPart
from state.learning.context_effects import KEPT, UNIT, VARIANCE, ContextEffects
from state.learning.terms import Terms
from state.row.layout import ROWS, layout_of, sizes_of
from state.row.row import Row
from tests.support.factories import CATALOGUE

CODE, EMAIL, NEW, NEWER = 1, 4, 98, 99
CODE_BLOCK, CONCISE = CATALOGUE.slot_index["format"]["code"], CATALOGUE.slot_index["length"]["concise"]


def new_contexts(catalogue: NumberedCatalogue = CATALOGUE) -> ContextEffects:
    contexts = ContextEffects(Row(layout_of(sizes_of(catalogue))))
    contexts.begin()
    return contexts


def taught(
    contexts: ContextEffects, key: int, weight: float = 1.0, slot: int = CONCISE, step: float = 0.8
) -> list[int]:
    part = AnswerPart(Terms(CATALOGUE))
    part.serve([slot], ())
    rows, _ = contexts.open([key])
    contexts.update(part, rows, step, weight)
    return rows


def full() -> ContextEffects:
    contexts = new_contexts()
    for key in [*range(1, ROWS + 1)] * 2:
        taught(contexts, key)
    return contexts


def test_effect_moves_by_its_variance() -> None:
    """In the context of the feedback alone, in the direction of the value's place on the scale."""
    contexts = new_contexts()
    (code,) = taught(contexts, CODE)
    (email,) = taught(contexts, EMAIL, slot=CODE_BLOCK)
    terms = CATALOGUE.context_terms
    assert contexts.effect(code, terms[CONCISE][0]) == pytest.approx(-0.8 * VARIANCE, rel=0.01)
    assert contexts.effect(email, terms[CODE_BLOCK][0]) == pytest.approx(0.8 * VARIANCE, rel=0.01)
    assert sum(effect != 0 for row in contexts.effects for effect in row) == 2


def test_effects_of_both_contexts_are_added_to_the_shares() -> None:
    """By facet, with the factor of each value, and with both variances."""
    contexts, part = new_contexts(), AnswerPart(Terms(CATALOGUE))
    rows = [*taught(contexts, CODE, slot=CODE_BLOCK), *taught(contexts, EMAIL, slot=CONCISE)]
    part.serve([CONCISE, CODE_BLOCK], ())
    contexts.add_to(part, rows)
    shares, facets = part.by_facet(), CATALOGUE.slot_facets
    assert shares[facets[CODE_BLOCK]] == pytest.approx(0.8 * VARIANCE, rel=0.01)
    assert shares[facets[CONCISE]] == pytest.approx(0.8 * VARIANCE, rel=0.01)
    assert part.mean == pytest.approx(1.6 * VARIANCE, rel=0.01)
    assert part.variance == pytest.approx(4 * VARIANCE, rel=0.03)


def test_new_context_waits_until_a_row_has_faded() -> None:
    """Each attempt fades all rows, so contexts that are over make room, and effects start at 0."""
    contexts = full()
    taught(contexts, CODE)
    assert contexts.open([NEW]) == ([], [])
    while not (opened := contexts.open([NEW])[1]):
        pass
    (row,) = opened
    assert contexts.keys[row] == NEW
    assert CODE in contexts.keys
    assert not any(contexts.effects[row])


def test_new_context_never_takes_the_row_of_the_answers_other_context() -> None:
    """The row of one is not the least of the rest, even when it has the least weight of all."""
    contexts = full()
    for key in contexts.keys[1:]:
        taught(contexts, key)
    faint = contexts.keys[0]
    while not (opened := contexts.open([NEW, faint])[1]):
        pass
    assert faint in contexts.keys
    assert contexts.open([NEW, faint]) == ([*opened, 0], [])


def test_two_new_contexts_get_two_rows() -> None:
    contexts = full()
    while not (opened := contexts.open([NEW, NEWER])[1]):
        pass
    assert len(set(opened)) == len(opened) == len({NEW, NEWER} & set(contexts.keys))


def test_growing_begins_new_terms_at_0() -> None:
    """A value that joins the catalogue is a term behind the others, whose effects stay."""
    contexts, term = full(), CATALOGUE.context_terms[CONCISE][0]
    before = [row[term] for row in contexts.effects]
    contexts.grow(term + 1)
    assert [row[term] for row in contexts.effects] == before


def test_forgotten_terms_are_new_in_all_contexts() -> None:
    """Rows and their weights stay, for the other facets."""
    contexts = full()
    contexts.forget([CATALOGUE.context_terms[CONCISE][0]])
    assert not any(effect for row in contexts.effects for effect in row)
    assert all(contexts.keys)


def test_dropped_contexts_free_their_rows() -> None:
    """Key, weight and effects go."""
    contexts = full()
    (row,) = contexts.drop([CODE])
    assert (contexts.keys[row], contexts.weights[row], any(contexts.effects[row])) == (0, 0.0, False)
    assert contexts.row_of(CODE) < 0


@pytest.mark.parametrize("half", [0.5, 1.5, 2.5, -0.5, -1.5, 3.5])
def test_effects_are_rounded_half_to_even(half: float) -> None:
    """As Python rounds."""
    contexts = new_contexts()
    contexts.move(0, 0, 1.0, half / KEPT)
    assert contexts.effects[0][0] == round(KEPT * (half / KEPT))


@given(st.lists(st.tuples(st.integers(1, 20), st.floats(-8.0, 8.0), st.floats(0.0, 1.0)), max_size=80))
def test_effects_stay_in_their_bounds(feedback: list[tuple[int, float, float]]) -> None:
    """No overflow, and a row per context at most, for any feedback."""
    contexts = new_contexts()
    for key, step, weight in feedback:
        taught(contexts, key, weight, step=step * 100)
        known = [key for key in contexts.keys if key]
        assert len(set(known)) == len(known)
        assert all(0 < contexts.variance(row) <= VARIANCE for row in range(ROWS))
        assert all(abs(effect * UNIT) <= 4 for row in contexts.effects for effect in row)
