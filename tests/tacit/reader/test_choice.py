"""tacit/reader/choice: instructions by strength, all in the catalogue's wording."""

from itertools import product
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.catalogue.numbered import NumberedCatalogue
from tacit.reader.choice import HINT_PREFIX, MAX_PROMPT, Choice, Instruction, Strength

CATALOGUE = NumberedCatalogue.load()
PLAIN = NumberedCatalogue.parse(
    'schema = 1\n[facets.mood]\ntitle = "Mood"\nvalues = ["calm", "wild"]\nprompt = { calm = "Stay calm." }\n'
    '[facets.pace]\ntitle = "Pace"\nvalues = ["slow", "fast"]\n'
)
WORDY = NumberedCatalogue.parse(
    "schema = 1\n"
    + "".join(
        f'[facets.f{number}]\ntitle = "F"\nvalues = ["a", "b"]\n'
        f'prompt = {{ a = "{letter * 200}" }}\nhint = {{ a = "{letter.upper() * 190}" }}\n'
        for number, letter in enumerate("vwxyz")
    )
)


def _choice(strengths: dict[str, Strength], values: dict[str, str], by: NumberedCatalogue = CATALOGUE) -> Choice:
    return Choice(values, (), by, strengths=strengths)


class TestInstructions:
    """One per facet, worded by its strength."""

    @pytest.mark.parametrize(
        ("strength", "text"),
        [
            ("pin", "Keep answers short."),
            ("apply", "Keep answers short."),
            ("hint", "Lean towards short answers."),
            ("try", "Lean towards short answers."),
        ],
    )
    def test_strength_selects_the_wording(self, strength: Strength, text: str) -> None:
        """A hint is softer than an instruction."""
        choice = _choice({"length": strength}, {"length": "concise"})
        assert choice.instructions() == (Instruction("length", "concise", strength, text),)
        assert choice.prompt() == text

    def test_default_is_left_out_unless_asked_for(self) -> None:
        """Nothing is known of the user."""
        choice = _choice({"length": "default"}, {"length": "concise", "tone": "neutral"})
        assert choice.instructions() == ()
        assert choice.prompt() == ""
        assert choice.prompt(defaults=True) == "Keep answers short. Keep a neutral tone."

    def test_hint_without_a_wording_is_the_instruction_behind_a_prefix(self) -> None:
        """A catalogue from before hints stays valid."""
        assert _choice({"mood": "hint"}, {"mood": "calm"}, PLAIN).prompt() == f"{HINT_PREFIX}Stay calm."

    @pytest.mark.parametrize("strength", get_args(Strength))
    def test_value_without_any_wording_has_an_empty_text(self, strength: Strength) -> None:
        """An assistant may word it."""
        choice = _choice({"pace": strength}, {"pace": "slow"}, PLAIN)
        assert choice.instructions(defaults=True) == (Instruction("pace", "slow", strength, ""),)
        assert choice.prompt(defaults=True) == ""

    def test_shipped_catalogue_has_both_wordings_of_every_value(self) -> None:
        """A hint never reads as an instruction."""
        for facet in CATALOGUE.facets.values():
            assert facet.prompt.keys() == facet.hint.keys() == set(facet.values)
            assert all(text.startswith("Lean towards ") for text in facet.hint.values())


class TestPrompt:
    """A few sentences, all from the catalogue."""

    @given(st.permutations(["length", "format", "tone"]))
    def test_order_is_that_of_the_catalogue(self, order: list[str]) -> None:
        """A prompt that changes its order would spoil prompt caches."""
        values = {"length": "concise", "format": "code", "tone": "formal"}
        strengths: dict[str, Strength] = {"length": "hint", "format": "pin", "tone": "apply"}
        choice = _choice(strengths, {facet: values[facet] for facet in order})
        assert choice.prompt() == "Lean towards short answers. Lead with code. Keep a formal tone."

    @given(st.lists(st.sampled_from(get_args(Strength)), min_size=5, max_size=5), st.booleans())
    def test_length_is_bounded_and_no_sentence_is_cut(self, strengths: list[Strength], defaults: bool) -> None:
        """Every text is the catalogue's, as a whole."""
        facets = list(WORDY.facets)
        choice = _choice(dict(zip(facets, strengths, strict=True)), dict.fromkeys(facets, "a"), WORDY)
        prompt = choice.prompt(defaults=defaults)
        assert len(prompt) <= MAX_PROMPT
        allowed = {instruction.text for instruction in choice.instructions(defaults=defaults)}
        assert {word for word in prompt.split(" ") if word} <= allowed

    def test_weakest_sentences_are_left_out_first(self) -> None:
        """A pin is in the prompt whatever the limit."""
        strengths: tuple[Strength, ...] = ("hint", "try", "apply", "hint", "pin")
        choice = _choice(
            {f"f{number}": strength for number, strength in enumerate(strengths)},
            dict.fromkeys(WORDY.facets, "a"),
            WORDY,
        )
        assert choice.prompt() == f"{'V' * 190} {'x' * 200} {'z' * 200}"

    def test_prompt_without_facets_is_empty(self) -> None:
        """Of every catalogue."""
        for catalogue, defaults in product((CATALOGUE, PLAIN), (False, True)):
            assert Choice({}, (), catalogue).prompt(defaults=defaults) == ""
