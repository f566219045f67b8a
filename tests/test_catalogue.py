"""state/catalogue."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from state.catalogue import Catalogue, FeedbackKind
from state.errors import CatalogueError, ConfigurationError
from tests.making import FILMS

BROKEN = [
    ('title = "Genre"', 'title = ""', "facets.genre.title: one line of 1 to 200 characters"),
    ('title = "Genre"', 'title = "a\\nb"', "facets.genre.title: one line of 1 to 200 characters"),
    ('"action"', '"Action"', "facets.genre.values: 'Action' is not a name"),
    ('"action"', '"a\u0142tion"', "is not a name"),
    ('"action"', f'"{"a" * 41}"', "is not a name"),
    ('"action"', '"comedy"', "facets.genre.values: a name stands there twice"),
    ('["1990s", "2000s"]', '["2000s"]', "facets.decade.values: at least two are needed"),
    ("multiple = true", "multiple = true\nordered = true", "facets.genre: ordered and multiple exclude each other"),
    ('default = "2000s"', 'default = "1980s"', "facets.decade.default: '1980s' is not one of its values"),
    ('default = "2000s"', 'prompt = { 1980s = "Old." }', "facets.decade.prompt: '1980s' is not one of its values"),
    (
        'default = "2000s"',
        f'prompt = {{ 1990s = "{"x" * 201}" }}',
        "facets.decade.prompt.1990s: one line",
    ),
    ("[facets.genre]", "[facets._genre]", "facets: '_genre' is not a name"),
    ('sensitive = ["divorce"]', 'sensitive = ["war"]', "topics.sensitive: 'war' is not in topics.values"),
    ('["film"]', '["film", "film"]', "surfaces.values: a name stands there twice"),
    ("weight = 0.5", "weight = 0.0", "feedback.thumbs_down.weight: more than 0 and at most 1"),
    ("weight = 0.5", "weight = 1.5", "feedback.thumbs_down.weight: more than 0 and at most 1"),
    ("weight = 0.5", "weight = nan", "feedback.thumbs_down.weight: more than 0 and at most 1"),
    ("label = true", "", "feedback.thumbs_up: needs either a label (true or false) or moves"),
    ("label = true", 'label = true\nmoves = { decade = "up" }', "feedback.thumbs_up: needs either a label"),
    ("label = true", 'moves = { genre = "up" }', "feedback.thumbs_up.moves: 'genre' is not an ordered facet"),
    ("label = true", 'moves = { mood = "up" }', "feedback.thumbs_up.moves: 'mood' is not an ordered facet"),
    ("schema = 1", "schema = 1\nversion = 0", "version: a number from 1 to 9999"),
]
"""What stands in FILMS, what is written instead, the problem that this is."""

UNREADABLE = [
    ("schema = 1", "schema = 2", "$.schema"),
    ("schema = 1", "", "schema"),
    ("schema = 1", "schema = 1\ncolour = 3", "colour"),
    ('title = "Genre"', 'title = "Genre"\ncolour = 3', "colour"),
    ("label = true", "label = true\ncolour = 3", "colour"),
    ('default = "granted"', 'default = "assumed"', "$.consent.default"),
    ("label = true", 'moves = { decade = "sideways" }', "moves"),
    ("label = true", "label =", "line"),
    ('title = "Genre"', "", "title"),
]
"""The same, for what stops the reading itself."""


@pytest.mark.parametrize(("stands", "instead", "problem"), BROKEN)
def test_broken_rule_is_one_problem_with_its_place(stands: str, instead: str, problem: str) -> None:
    """Whoever breaks one rule reads one sentence that names the place."""
    with pytest.raises(CatalogueError) as caught:
        Catalogue.parse(FILMS.replace(stands, instead))
    assert len(caught.value.problems) == 1
    assert problem in caught.value.problems[0]


@pytest.mark.parametrize(("stands", "instead", "problem"), UNREADABLE)
def test_unreadable_catalogue_says_where(stands: str, instead: str, problem: str) -> None:
    """Wrong types, unknown keys and broken TOML are catalogue errors, too."""
    with pytest.raises(CatalogueError) as caught:
        Catalogue.parse(FILMS.replace(stands, instead, 1))
    assert problem in str(caught.value)


def test_all_problems_are_told_at_once() -> None:
    """Nobody mends a catalogue one error at a time."""
    text = FILMS
    broken = [BROKEN[0], BROKEN[6], BROKEN[12], BROKEN[13], BROKEN[14], BROKEN[21]]
    for stands, instead, _ in broken:
        text = text.replace(stands, instead)
    with pytest.raises(CatalogueError) as caught:
        Catalogue.parse(text)
    assert len(caught.value.problems) == len(broken)
    for _, _, problem in broken:
        assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("many", "most"),
    [
        ("[topics]\nvalues = [{}]", 4096),
        ("[surfaces]\nvalues = [{}]", 256),
    ],
)
def test_names_beyond_the_limit_are_refused(many: str, most: int) -> None:
    """The packed layouts have room for so many; one more is a problem, not an overflow."""
    head = 'schema = 1\n[facets.tone]\ntitle = "Tone"\nvalues = ["a", "b"]\n'
    full = ", ".join(f'"n{number}"' for number in range(most))
    Catalogue.parse(head + many.format(full))
    with pytest.raises(CatalogueError, match=f"{most + 1} names; at most {most} are allowed"):
        Catalogue.parse(head + many.format(full + ', "more"'))


def test_facets_values_and_kinds_beyond_the_limit_are_refused() -> None:
    """64 facets, 32 values each, 64 feedback kinds."""
    tables = [f'[facets.f{facet}]\ntitle = "F"\nvalues = {[f"v{v}" for v in range(33)]}' for facet in range(65)]
    kinds = [f"[feedback.k{kind}]\nlabel = true" for kind in range(65)]
    with pytest.raises(CatalogueError) as caught:
        Catalogue.parse("\n".join(["schema = 1", *tables, *kinds]))
    assert {problem.partition(":")[2] for problem in caught.value.problems} == {
        " 65 names; at most 64 are allowed",
        " 33 names; at most 32 are allowed",
    }


def test_catalogue_without_facets_is_refused() -> None:
    """There would be nothing to learn."""
    with pytest.raises(CatalogueError, match="facets: at least one is needed"):
        Catalogue.parse("schema = 1\n[facets]\n")


def test_file_is_named_in_every_problem(tmp_path: Path) -> None:
    """`load` says which file is wrong; it is a configuration error like any other."""
    path = tmp_path / "mine.toml"
    path.write_text("schema = 1\nversion = 0\n[facets]\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        Catalogue.load(path)
    assert len(caught.value.problems) == 2
    assert all("mine.toml" in problem for problem in caught.value.problems)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_file_that_cannot_be_read_is_a_catalogue_error(tmp_path: Path, content: bytes | None) -> None:
    """A missing file and one that is no UTF-8 are told like any other problem."""
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CatalogueError, match="cannot be read"):
        Catalogue.load(path)


def test_shipped_catalogue_is_the_contracts() -> None:
    """The contract names its facets, feedback kinds and consent."""
    catalogue = Catalogue.load()
    assert catalogue.consent.default == "required"
    assert {name: facet.values for name, facet in catalogue.facets.items()} == {
        "length": ("concise", "balanced", "detailed"),
        "format": ("prose", "bullets", "table", "code"),
        "tone": ("formal", "neutral", "friendly"),
        "expertise": ("novice", "intermediate", "expert"),
        "initiative": ("ask-first", "suggest", "act"),
    }
    assert [name for name, facet in catalogue.facets.items() if not facet.ordered] == ["format"]
    assert {name: (kind.label, kind.weight, kind.moves) for name, kind in catalogue.feedback.items()} == {
        "thumbs_up": (True, 1.0, {}),
        "thumbs_down": (False, 1.0, {}),
        "copied": (True, 0.4, {}),
        "accepted": (True, 0.6, {}),
        "regenerated": (False, 0.4, {}),
        "edited": (False, 0.3, {}),
        "shorter": (None, 1.0, {"length": "down"}),
        "longer": (None, 1.0, {"length": "up"}),
        "simpler": (None, 1.0, {"expertise": "down"}),
        "deeper": (None, 1.0, {"expertise": "up"}),
    }
    assert all(set(facet.prompt) == set(facet.values) for facet in catalogue.facets.values())


def test_names_and_numbers_belong_together() -> None:
    """Slots go through the facets in the file's order, and every index finds its name again."""
    films = Catalogue.parse(FILMS)
    assert [slot.value for slot in films.slots] == ["action", "comedy", "drama", "1990s", "2000s"]
    assert films.facet_slots == (range(3), range(3, 5))
    assert films.slot_facets == (0, 0, 0, 1, 1)
    assert films.default_slots == (None, 4)
    assert films.sensitive_topics == {films.topics.values.index("divorce")}
    for number, slot in enumerate(films.slots):
        assert films.slot_index[films.facet_names[slot.facet]][slot.value] == number
    for name, number in films.feedback_index.items():
        assert films.feedback_kinds[number] is films.feedback[name]
        assert films.feedback_names[number] == name


@pytest.mark.parametrize(
    ("stands", "instead"),
    [
        ('"action", "comedy"', '"comedy", "action"'),
        ('"drama"', '"drama", "western"'),
        ("[facets.decade]", "[facets.era]"),
        ('["cinema", "divorce"]', '["cinema", "divorce", "weather"]'),
        ('["film"]', '["film", "series"]'),
        ("[feedback.thumbs_down]", "[feedback.booed]"),
    ],
)
def test_layout_changes_with_names_and_their_order(stands: str, instead: str) -> None:
    """State packed under one layout would be misread under the other."""
    assert Catalogue.parse(FILMS.replace(stands, instead)).layout != Catalogue.parse(FILMS).layout


@pytest.mark.parametrize(
    ("stands", "instead"),
    [
        ("schema = 1", "schema = 1\nversion = 7"),
        ("weight = 0.5", "weight = 0.25"),
        ('title = "Genre"', 'title = "Kind of film"\nprompt = { drama = "Suggest dramas." }'),
        ('default = "granted"', 'default = "required"'),
        ('default = "2000s"', ""),
        ('sensitive = ["divorce"]', ""),
    ],
)
def test_layout_stays_when_no_name_changes(stands: str, instead: str) -> None:
    """Prompts, weights, defaults and what is sensitive can be changed without losing state."""
    assert Catalogue.parse(FILMS.replace(stands, instead)).layout == Catalogue.parse(FILMS).layout


def test_layout_of_the_shipped_catalogue_is_pinned() -> None:
    """Every state folder in use carries it: another value would refuse them all."""
    assert Catalogue.load().layout.hex() == "cd73cad7e8f1ff2e"


def test_catalogue_cannot_be_changed() -> None:
    """Its indexes are computed once."""
    with pytest.raises(AttributeError):
        Catalogue.load().version = 2  # type: ignore[misc]
    assert replace(FeedbackKind(label=True), weight=0.5).weight == 0.5
