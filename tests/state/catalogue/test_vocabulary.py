"""state/catalogue/vocabulary: the table of numbers."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.catalogue.numbered import NumberedCatalogue
from state.catalogue.vocabulary import MAX_NAMES, Vocabulary
from state.errors import StateError
from tests.support.catalogue_changes import CatalogueNames, catalogue_names, make_catalogue
from tests.support.factories import CATALOGUE, FILMS

FILM_TABLE = Vocabulary().including(NumberedCatalogue.parse(FILMS))


def test_first_table_is_in_the_order_of_the_file() -> None:
    """Values follow facet by facet."""
    assert Vocabulary().including(NumberedCatalogue.parse(FILMS)) == Vocabulary(
        facets=("genre", "decade"),
        slots=(
            ("genre", "action"),
            ("genre", "comedy"),
            ("genre", "drama"),
            ("decade", "1990s"),
            ("decade", "2000s"),
        ),
        places=(-1.0, 0.0, 1.0, -1.0, 1.0),
        topics=("cinema", "divorce"),
        feedback=("thumbs_up", "thumbs_down"),
    )


def test_known_names_leave_the_table_as_it_is() -> None:
    """The same object comes back, so that a state folder need not write the vocabulary."""
    reordered = FILMS.replace('"action", "comedy"', '"comedy", "action"')
    without = FILMS.replace('"drama"', "").replace('["cinema", "divorce"]', '["divorce"]')
    for text in (FILMS, reordered, without):
        assert FILM_TABLE.including(NumberedCatalogue.parse(text)) is FILM_TABLE


@pytest.mark.parametrize(
    ("stands", "instead", "table", "appended"),
    [
        ('"action"', '"western", "action"', "slots", ("genre", "western")),
        ("[facets.genre]", '[facets.mood]\ntitle = "M"\nvalues = ["a", "b"]\n[facets.genre]', "facets", "mood"),
        ('["cinema"', '["awards", "cinema"', "topics", "awards"),
        ("[feedback.thumbs_up]", "[feedback.shared]\nlabel = true\n[feedback.thumbs_up]", "feedback", "shared"),
    ],
)
def test_new_names_are_appended(stands: str, instead: str, table: str, appended: object) -> None:
    """The position in the file has no effect."""
    longer = FILM_TABLE.including(NumberedCatalogue.parse(FILMS.replace(stands, instead)))
    before, after = getattr(FILM_TABLE, table), getattr(longer, table)
    assert after[: len(before)] == before
    assert appended in after[len(before) :]


def test_value_of_two_facets_has_two_numbers() -> None:
    """Two facets may have a value of the same name."""
    table = Vocabulary().including(make_catalogue(CatalogueNames({"a": ["auto", "off"], "b": ["off", "auto"]})))
    assert table.slots == (("a", "auto"), ("a", "off"), ("b", "off"), ("b", "auto"))


@given(st.lists(catalogue_names(), max_size=8))
def test_name_keeps_its_number_through_all_changes(catalogues: list[CatalogueNames]) -> None:
    """Each name has one number."""
    table, numbers = Vocabulary(), dict[tuple[str, object], int]()
    for catalogue in map(make_catalogue, catalogues):
        table = table.including(catalogue)
        table.check()
        assert table.including(catalogue) is table
        now = {(kind, name): number for kind in MAX_NAMES for number, name in enumerate(getattr(table, kind))}
        assert now.items() >= numbers.items()
        numbers = now


@pytest.mark.parametrize(
    ("values", "places"),
    [
        (["high", "mid", "low"], [1.0, 0.0, -1.0]),
        (["mid", "high"], [0.0, 1.0]),
        (["low", "auto", "off", "extra", "mid", "high"], [-1.0, -0.75, -0.5, -0.25, 0.0, 1.0]),
        (["auto", "low", "mid", "high", "off"], [-1.0, -1.0, 0.0, 1.0, 1.0]),
        (["auto", "off", "extra"], [-1.0, 0.0, 1.0]),
    ],
    ids=["reversed", "one removed", "some between", "one at each end", "all others"],
)
def test_value_keeps_its_position_on_the_scale(values: list[str], places: list[float]) -> None:
    """A new value is evenly between its neighbours, or at the position of its only neighbour."""
    first = Vocabulary().including(make_catalogue(CatalogueNames({"length": ["low", "mid", "high"]})))
    catalogue = make_catalogue(CatalogueNames({"length": values}))
    catalogue = catalogue.numbered(first.including(catalogue))
    assert [catalogue.slot_places[catalogue.slot_index["length"][value]] for value in values] == places


@pytest.mark.parametrize(
    ("table", "full"),
    [
        ("facets", Vocabulary(facets=tuple(f"f{n}" for n in range(MAX_NAMES["facets"])))),
        (
            "slots",
            Vocabulary(
                facets=("f",),
                slots=tuple(("f", f"v{n}") for n in range(MAX_NAMES["slots"])),
                places=(0.0,) * MAX_NAMES["slots"],
            ),
        ),
        ("topics", Vocabulary(topics=tuple(f"t{n}" for n in range(MAX_NAMES["topics"])))),
        ("feedback", Vocabulary(feedback=tuple(f"k{n}" for n in range(MAX_NAMES["feedback"])))),
    ],
)
def test_too_many_names_are_rejected(table: str, full: Vocabulary) -> None:
    """A number that does not fit into its packed field would become another number."""
    full.check()
    with pytest.raises(StateError, match=f"no room for .* {table}: .* at most {MAX_NAMES[table]}.*new state folder"):
        full.including(CATALOGUE)


@pytest.mark.parametrize(
    "damaged",
    [
        Vocabulary(facets=("tone", "tone")),
        Vocabulary(facets=("tone",), slots=(("tone", "formal"), ("tone", "formal")), places=(0.0, 0.0)),
        Vocabulary(facets=("tone",), slots=(("tone", "formal"), ("tone", "warm")), places=(0.0,)),
        Vocabulary(topics=("code", "code")),
        Vocabulary(feedback=("liked", "liked")),
        Vocabulary(facets=("tone",), slots=(("length", "concise"),), places=(0.0,)),
    ],
)
def test_damaged_vocabulary_is_rejected(damaged: Vocabulary) -> None:
    """Otherwise beliefs would move to other names without an error."""
    with pytest.raises(StateError, match=r"vocabulary is damaged: .*restore the state folder from a backup"):
        damaged.check()


def test_vocabulary_round_trips_through_json() -> None:
    """An unknown member is an error."""
    encoded = msgspec.json.encode(FILM_TABLE)
    assert msgspec.json.decode(encoded, type=Vocabulary) == FILM_TABLE
    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(encoded[:-1] + b',"surfaces":[]}', type=Vocabulary)
