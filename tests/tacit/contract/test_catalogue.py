"""client/tacit/contract/catalogue and state/catalogue/numbered."""

import pickle
from pathlib import Path

import pytest
from msgspec.structs import replace

from state.catalogue.numbered import NumberedCatalogue
from state.catalogue.vocabulary import Vocabulary
from tacit.contract.catalogue import Consent, FeedbackKind
from tacit.errors import CatalogueError, ConfigurationError
from tests.support.factories import FILMS

BROKEN = [
    ('title = "Genre"', 'title = ""', "facets.genre.title: one line of 1 to 200 characters"),
    ('title = "Genre"', 'title = "a\\nb"', "facets.genre.title: one line of 1 to 200 characters"),
    ('"action"', '"Action"', "facets.genre.values: 'Action' is not a name"),
    ('"action"', '"a\u0142tion"', "is not a name"),
    ('"action"', f'"{"a" * 41}"', "is not a name"),
    ('"action"', '"comedy"', "facets.genre.values: a name appears twice"),
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
    ('["film"]', '["film", "film"]', "surfaces.values: a name appears twice"),
    ("weight = 0.5", "weight = 0.0", "feedback.thumbs_down.weight: more than 0 and at most 1"),
    ("weight = 0.5", "weight = 1.5", "feedback.thumbs_down.weight: more than 0 and at most 1"),
    ("weight = 0.5", "weight = nan", "feedback.thumbs_down.weight: more than 0 and at most 1"),
    ("label = true", "", "feedback.thumbs_up: needs either a label (true or false) or moves"),
    ("label = true", 'label = true\nmoves = { decade = "up" }', "feedback.thumbs_up: needs either a label"),
    ("label = true", 'moves = { genre = "up" }', "feedback.thumbs_up.moves: 'genre' is not an ordered facet"),
    ("label = true", 'moves = { mood = "up" }', "feedback.thumbs_up.moves: 'mood' is not an ordered facet"),
    ("schema = 1", "schema = 1\nversion = 0", "version: a number from 1 to 9999"),
    ('default = "2000s"', 'hint = { 1980s = "Old." }', "facets.decade.hint: '1980s' is not one of its values"),
    ('default = "2000s"', 'hint = { 1990s = "a\\nb" }', "facets.decade.hint.1990s: one line"),
    ('default = "2000s"', 'question = ""', "facets.decade.question: one line of 1 to 200 characters"),
    ('default = "2000s"', 'question = "a\\nb"', "facets.decade.question: one line of 1 to 200 characters"),
    ("[facets.genre]", "[holdout]\nshare = 0.6\n[facets.genre]", "holdout.share: a share from 0 to 0.5"),
    ("[facets.genre]", "[holdout]\nshare = nan\n[facets.genre]", "holdout.share: a share from 0 to 0.5"),
    ("[facets.genre]", "[items]\ncontributors = 4\n[facets.genre]", "items.contributors: a number from 5 to 1000"),
    ("[facets.genre]", "[labels.German]\n[facets.genre]", "labels.German: 'German' is not a language"),
    ("[facets.genre]", "[labels.de.topics]\nwar = 'Krieg'\n[facets.genre]", "labels.de.topics: 'war' is not in the"),
    ("[facets.genre]", "[labels.de.surfaces]\nfilm = ''\n[facets.genre]", "labels.de.surfaces.film: one line of 1"),
    ("[facets.genre]", '[labels.de.facets]\ngenre = "a\\nb"\n[facets.genre]', "labels.de.facets.genre: one line"),
    (
        "[facets.genre]",
        "[labels.de.values.mood]\nsad = { name = 'x', other = 'x' }\n[facets.genre]",
        "labels.de.values.mood: the facet is not in the catalogue",
    ),
    (
        "[facets.genre]",
        "[labels.de.values.genre]\nwar = { name = 'x', other = 'x' }\n[facets.genre]",
        "labels.de.values.genre: 'war' is not one of its values",
    ),
    (
        "[facets.genre]",
        "[labels.de.values.genre]\naction = { name = 'x', other = 'x', one = '' }\n[facets.genre]",
        "labels.de.values.genre.action.one: one line",
    ),
    (
        "[facets.genre]",
        "[labels.de.feedback]\nthumbs_up = 'Sie mochten {answer}'\n[facets.genre]",
        "labels.de.feedback.thumbs_up: one {answers} or {times}, and no other brace",
    ),
    ("[facets.genre]", "[items]\ncontributors = 1001\n[facets.genre]", "items.contributors: a number from 5 to 1000"),
]
"""Text of FILMS, its replacement, the problem."""

UNREADABLE = [
    ("schema = 1", "schema = 2", "$.schema"),
    ("schema = 1", "", "schema"),
    ("schema = 1", "schema = 1\ncolour = 3", "colour"),
    ('title = "Genre"', 'title = "Genre"\ncolour = 3', "colour"),
    ("label = true", "label = true\ncolour = 3", "colour"),
    ('default = "granted"', 'default = "assumed"', "`$.consent.default`; allowed are required, granted"),
    ("schema = 1", 'schema = 1\nidentity = "lower"', "$.identity"),
    ("[facets.genre]", "[labels.de.values.genre]\naction = { name = 'x' }\n[facets.genre]", "`$.labels.de.values"),
    ("schema = 1", 'schema = 1\nmode = "asleep"', "'asleep' - at `$.mode`; allowed are live, apprentice"),
    ("schema = 1", 'schema = 1\nexplore = "hints"', "$.explore"),
    (
        'title = "Genre"',
        'title = "Genre"\nexplore = "sometimes"',
        "`$.facets.genre.explore`; allowed are never, hints, free",
    ),
    ('title = "Decade"', 'title = "Decade"\ncareful = "yes"', "`$.facets.decade.careful`"),
    ('title = "Decade"', 'title = "Decade"\nquestion = 5', "`$.facets.decade.question`"),
    ("weight = 0.5", 'weight = "half"', "`$.feedback.thumbs_down.weight`"),
    ("label = true", 'moves = { decade = "sideways" }', "moves"),
    ("label = true", "label =", "line"),
    ('title = "Genre"', "", "`title` - at `$.facets.genre`"),
]
"""The same for files that are unreadable."""


@pytest.mark.parametrize(("text", "replacement", "problem"), BROKEN)
def test_broken_rule_is_one_problem_with_its_path(text: str, replacement: str, problem: str) -> None:
    """One broken rule is one sentence with the path."""
    with pytest.raises(CatalogueError) as caught:
        NumberedCatalogue.parse(FILMS.replace(text, replacement))
    assert len(caught.value.problems) == 1
    assert problem in caught.value.problems[0]


@pytest.mark.parametrize(("text", "replacement", "problem"), UNREADABLE)
def test_error_of_an_unreadable_catalogue_names_the_place(text: str, replacement: str, problem: str) -> None:
    """Wrong types, unknown keys and broken TOML are catalogue errors."""
    with pytest.raises(CatalogueError) as caught:
        NumberedCatalogue.parse(FILMS.replace(text, replacement, 1))
    assert problem in str(caught.value)


def test_choices_are_those_of_a_live_deployment_without_a_holdout() -> None:
    """The members are optional: a catalogue from before them tries values of every facet with a single value."""
    films = NumberedCatalogue.parse(FILMS)
    assert (films.mode, films.explore, films.holdout.share, films.items.contributors) == ("live", True, 0.0, 20)
    assert {(facet.explore, facet.careful, facet.question) for facet in films.facets.values()} == {
        ("free", False, None)
    }


def test_all_problems_are_reported_at_once() -> None:
    """One run shows everything to correct."""
    films = FILMS
    broken = [BROKEN[0], BROKEN[6], BROKEN[12], BROKEN[13], BROKEN[14], BROKEN[21]]
    for text, replacement, _ in broken:
        films = films.replace(text, replacement)
    with pytest.raises(CatalogueError) as caught:
        NumberedCatalogue.parse(films)
    assert len(caught.value.problems) == len(broken)
    for _, _, problem in broken:
        assert problem in str(caught.value)


@pytest.mark.parametrize(
    ("table", "limit"),
    [
        ("[topics]\nvalues = [{}]", 4096),
        ("[surfaces]\nvalues = [{}]", 256),
    ],
)
def test_names_beyond_the_limit_are_rejected(table: str, limit: int) -> None:
    """The packed formats have no room for more names."""
    head = 'schema = 1\n[facets.tone]\ntitle = "Tone"\nvalues = ["a", "b"]\n'
    full = ", ".join(f'"n{number}"' for number in range(limit))
    NumberedCatalogue.parse(head + table.format(full))
    with pytest.raises(CatalogueError, match=f"{limit + 1} names; at most {limit} are allowed"):
        NumberedCatalogue.parse(head + table.format(full + ', "more"'))


def test_facets_values_and_kinds_beyond_the_limit_are_rejected() -> None:
    """64 facets, 32 values each, 64 feedback kinds."""
    tables = [f'[facets.f{facet}]\ntitle = "F"\nvalues = {[f"v{v}" for v in range(33)]}' for facet in range(65)]
    kinds = [f"[feedback.k{kind}]\nlabel = true" for kind in range(65)]
    with pytest.raises(CatalogueError) as caught:
        NumberedCatalogue.parse("\n".join(["schema = 1", *tables, *kinds]))
    assert {problem.partition(":")[2] for problem in caught.value.problems} == {
        " 65 names; at most 64 are allowed",
        " 33 names; at most 32 are allowed",
    }


def test_catalogue_without_facets_is_rejected() -> None:
    """A deployment needs a facet to learn."""
    with pytest.raises(CatalogueError, match="facets: at least one is needed"):
        NumberedCatalogue.parse("schema = 1\n[facets]\n")


def test_every_problem_names_the_file(tmp_path: Path) -> None:
    """The error is a ConfigurationError."""
    path = tmp_path / "mine.toml"
    path.write_text("schema = 1\nversion = 0\n[facets]\n", encoding="utf-8")
    with pytest.raises(ConfigurationError) as caught:
        NumberedCatalogue.load(path)
    assert len(caught.value.problems) == 2
    assert all("mine.toml" in problem for problem in caught.value.problems)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_unreadable_file_is_a_catalogue_error(tmp_path: Path, content: bytes | None) -> None:
    """A missing file and invalid UTF-8 are problems like any other."""
    path = tmp_path / "mine.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(CatalogueError, match="cannot be read"):
        NumberedCatalogue.load(path)


def test_shipped_catalogue_has_the_names_of_the_contract() -> None:
    """Producers and assistants rely on these names; a new name breaks no producer."""
    catalogue = NumberedCatalogue.load()
    assert catalogue.consent.default == "required"
    assert {name: facet.values for name, facet in catalogue.facets.items()}.items() >= {
        "length": ("concise", "balanced", "detailed"),
        "format": ("prose", "bullets", "table", "code"),
        "tone": ("formal", "neutral", "friendly"),
        "expertise": ("novice", "intermediate", "expert"),
        "initiative": ("ask-first", "suggest", "act"),
    }.items()
    assert {name: (kind.label, kind.weight) for name, kind in catalogue.feedback.items()}.items() >= {
        "thumbs_up": (True, 1.0),
        "thumbs_down": (False, 1.0),
        "copied": (True, 0.4),
        "accepted": (True, 0.6),
        "regenerated": (False, 0.4),
        "edited": (False, 0.3),
        "shorter": (None, 1.0),
        "longer": (None, 1.0),
        "simpler": (None, 1.0),
        "deeper": (None, 1.0),
    }.items()


def test_every_value_of_the_shipped_catalogue_has_a_prompt() -> None:
    """An assistant can name each preference to its language model."""
    assert all(set(facet.prompt) == set(facet.values) for facet in NumberedCatalogue.load().facets.values())


def test_names_and_numbers_belong_together() -> None:
    """Slots follow the facets in the file's order, and every index leads back to its name."""
    films = NumberedCatalogue.parse(FILMS)
    assert [slot.value for slot in films.slots] == ["action", "comedy", "drama", "1990s", "2000s"]
    assert films.facet_slots == ((0, 1, 2), (3, 4))
    assert films.sizes == (5, 2, 2)
    assert not films.idle_slots
    assert films.slot_facets == (0, 0, 0, 1, 1)
    assert films.default_slots == (None, 4)
    assert films.sensitive_topics == {films.topics.values.index("divorce")}
    for number, slot in enumerate(films.slots):
        assert films.slot_index[films.facet_names[slot.facet]][slot.value] == number
    for name, number in films.feedback_index.items():
        assert films.feedback_kinds[number] is films.feedback[name]
        assert films.feedback_names[number] == name


def test_vocabulary_determines_the_numbers() -> None:
    """A name that left the catalogue keeps a number, and no index leads to it."""
    films = NumberedCatalogue.parse(FILMS)
    vocabulary = Vocabulary(
        ("mood", "decade"), (("mood", "gay"), ("decade", "2000s"), ("decade", "1980s")), (0.0, 0.5, -0.5),
        ("war", "divorce"), ("booed",),
    ).including(films)  # fmt: skip
    numbered = films.numbered(vocabulary)
    assert numbered.sizes == (7, 3, 3)
    assert numbered.facet_names == ("mood", "decade", "genre")
    assert numbered.facet_index == {"genre": 2, "decade": 1}
    assert numbered.slot_facets == (0, 1, 1, 2, 2, 2, 1)
    assert numbered.facet_slots == ((), (6, 1), (3, 4, 5))
    assert numbered.slot_index["decade"] == {"1990s": 6, "2000s": 1}
    assert numbered.slot_places == (0.0, 0.5, -0.5, 0.0, 0.0, 0.0, 0.5)
    assert numbered.idle_slots == {0, 2}
    assert numbered.default_slots == (None, 1, None)
    assert numbered.topic_index == {"cinema": 2, "divorce": 1}
    assert numbered.sensitive_topics == {1}
    assert numbered.public_topics == (None, None, "cinema")
    assert numbered.feedback_names == ("booed", "thumbs_up", "thumbs_down")
    assert numbered.feedback_kinds == {1: films.feedback["thumbs_up"], 2: films.feedback["thumbs_down"]}


def test_next_value_is_the_next_one_in_the_file() -> None:
    """The numbers have no effect; only ordered facets have a next value."""
    films = NumberedCatalogue.parse(FILMS.replace('["1990s", "2000s"]', '["1980s", "1990s", "2000s"]'))
    numbered = films.numbered(Vocabulary().including(NumberedCatalogue.parse(FILMS)).including(films))
    assert numbered.facet_slots[1] == (5, 3, 4)
    assert numbered.next_slots == {("decade", "up"): {5: 3, 3: 4}, ("decade", "down"): {4: 3, 3: 5}}


def test_vocabulary_without_all_names_is_rejected() -> None:
    """The new names would have numbers that no state folder stores."""
    with pytest.raises(ValueError, match="lacks names"):
        NumberedCatalogue.parse(FILMS).numbered(Vocabulary().including(NumberedCatalogue.load()))


def test_copies_keep_the_numbers() -> None:
    """A pickled copy, and a copy with another consent default."""
    films = NumberedCatalogue.parse(FILMS)
    numbered = films.numbered(Vocabulary(("decade",)).including(films))
    for twin in (pickle.loads(pickle.dumps(numbered)), replace(numbered, consent=Consent("required"))):  # noqa: S301  # we dumped it ourselves
        assert twin.facet_index == numbered.facet_index != films.facet_index


def test_file_cannot_set_the_numbers() -> None:
    """Numbers come from the state folder."""
    with pytest.raises(CatalogueError, match="vocabulary"):
        NumberedCatalogue.parse(FILMS.replace("schema = 1", "schema = 1\nvocabulary = {}"))


def test_catalogue_cannot_be_changed() -> None:
    """The indexes are computed once."""
    with pytest.raises(AttributeError):
        NumberedCatalogue.load().version = 2  # type: ignore[misc]
    assert replace(FeedbackKind(label=True), weight=0.5).weight == 0.5
