"""state/learning/own_beliefs under a catalogue that has gained values, facets and feedback kinds."""

from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from state.catalogue.numbered import NumberedCatalogue
from state.catalogue.vocabulary import Vocabulary
from state.learning.population_prior import Prior
from state.learning.preferences import Preferences
from tests.support.factories import CATALOGUE, make_observation

WITHOUT_CODE = replace(CATALOGUE.facets["format"], values=("prose", "bullets", "table"))
SMALL = replace(
    CATALOGUE,
    facets={"length": CATALOGUE.facets["length"], "format": WITHOUT_CODE},
    feedback={name: CATALOGUE.feedback[name] for name in ("thumbs_up", "shorter")},
)
LARGE = CATALOGUE.numbered(Vocabulary().including(SMALL).including(CATALOGUE))

Answer = tuple[str, str, str]


def answers(catalogue: NumberedCatalogue) -> st.SearchStrategy[list[Answer]]:
    """Return a strategy for lengths and formats that got feedback, often enough for changes of taste."""
    lengths, formats = (st.sampled_from(catalogue.facets[name].values) for name in ("length", "format"))
    return st.lists(st.tuples(lengths, formats, st.sampled_from(list(catalogue.feedback))), max_size=40)


def learn(preferences: Preferences, given_: list[Answer]) -> None:
    catalogue = preferences.catalogue
    for length, format_, kind in given_:
        o = make_observation(served={"length": length, "format": format_}, feedback=kind, catalogue=catalogue)
        preferences.learn_feedback(o, catalogue.feedback[kind], 1.0, Prior(catalogue))


def grown(preferences: Preferences) -> Preferences:
    """Return the same in a row that is laid out for the larger catalogue."""
    large, (slots, facets, _) = Preferences(LARGE), preferences.catalogue.sizes
    large.clear()
    for name in preferences.row.array.dtype.names:
        if name not in {"version", "slots", "facets", "terms", "padding"}:
            field = preferences.row.array[name]
            large.row.array[name][tuple(map(slice, field.shape))] = field
    assert large.grow(slots, facets)
    return large


def numbers(preferences: Preferences) -> dict[str, object]:
    """Return all fields of the row."""
    return {name: preferences.row.numbers(name) for name in preferences.row.array.dtype.names}


def test_grown_new_user_model_is_a_new_one() -> None:
    """It is the same as a new one under the larger catalogue."""
    assert SMALL.sizes < LARGE.sizes
    assert numbers(grown(Preferences(SMALL))) == numbers(Preferences(LARGE))


@given(answers(SMALL), answers(LARGE))
def test_growing_makes_no_difference_to_what_is_learned(before: list[Answer], after: list[Answer]) -> None:
    """As if the catalogue had been the larger one from the beginning: what was known stays, what comes has room."""
    through, always = Preferences(SMALL), Preferences(LARGE)
    learn(through, before)
    through = grown(through)
    learn(always, before)
    assert numbers(through) == numbers(always)
    learn(through, after)
    learn(always, after)
    assert numbers(through) == numbers(always)


def test_evidence_keeps_its_value() -> None:
    """The evidence of a value of the second facet is not of another value, nor of a new one."""
    preferences, expected = Preferences(SMALL), Preferences(LARGE)
    preferences.row.array["totals"][0, 2 * SMALL.slot_index["format"]["table"]] = 9
    expected.row.array["totals"][0, 2 * LARGE.slot_index["format"]["table"]] = 9
    assert numbers(grown(preferences)) == numbers(expected)
