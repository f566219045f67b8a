"""tacit/reader/adaptation: choices are stable, explore at their rate, and stay within the catalogue."""

from collections import Counter
from collections.abc import Mapping
from types import MappingProxyType

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.catalogue.numbered import NumberedCatalogue
from tacit.contract.signals import Signal, Source, Tier
from tacit.reader.adaptation import MAX_PROMPT, Adaptation, Choice, Followed
from tests.support.factories import CATALOGUE
from tests.support.sample_signals import NOW_MS, signal

WORDY = NumberedCatalogue.parse(
    "schema = 1\n"
    + "".join(
        f'[facets.f{number}]\ntitle = "F"\nvalues = ["a", "b"]\nprompt = {{ a = "{letter * 200}" }}\n'
        for number, letter in enumerate("vwxyz")
    )
)
MUSIC = NumberedCatalogue.parse(
    'schema = 1\n[facets.genre]\ntitle = "Genre"\nvalues = ["jazz", "rock"]\nmultiple = true\n'
    '[facets.mood]\ntitle = "Mood"\nvalues = ["calm", "wild"]\n'
)


def _of(
    signals: Mapping[str, Signal],
    *,
    defaults: Mapping[str, Signal] = MappingProxyType({}),
    by: NumberedCatalogue = CATALOGUE,
) -> Adaptation:
    return Adaptation("fresh", signals, None, defaults, by)


def _followed(choice: Choice, facet: str) -> Followed:
    [entry] = [entry for entry in choice.acted_on if entry["facet"] == facet]
    return entry


class TestValues:
    """Value of a conversation without exploration."""

    @pytest.mark.parametrize(("tier", "chosen"), [("apply", "concise"), ("hint", "concise"), ("default", "detailed")])
    def test_tier_decides_between_value_and_default(self, tier: Tier, chosen: str) -> None:
        choice = _of({"length": signal("concise", NOW_MS, tier=tier, default="detailed")}).choose("c")
        assert choice.values["length"] == chosen
        assert _followed(choice, "length") == Followed(
            facet="length", value=chosen, version=f"{NOW_MS}-0000000001", propensity=1.0
        )

    def test_facet_without_signal_takes_the_populations_then_the_catalogues(self) -> None:
        choice = _of({}, defaults={"length": signal("concise", NOW_MS, source="population")}).choose("c")
        assert choice.values["length"] == "concise"
        assert choice.values["tone"] == "neutral"
        assert [_followed(choice, facet)["version"] for facet in ("length", "tone")] == [None, None]

    def test_facet_without_a_default_is_left_out(self) -> None:
        choice = _of({"mood": signal("calm", NOW_MS, tier="default", default=None)}, by=MUSIC).choose("c")
        assert choice.values == {}
        assert choice.acted_on == ()
        assert choice.prompt() == ""

    def test_own_signal_outranks_the_populations(self) -> None:
        own, of_all = signal("concise", NOW_MS), signal("detailed", NOW_MS, source="population")
        assert _of({"length": own}, defaults={"length": of_all}).choose("c").values["length"] == "concise"

    @given(tier=st.sampled_from(["default", "hint", "apply"]), unit=st.text())
    def test_pin_always_wins(self, tier: Tier, unit: str) -> None:
        """Tier, default and exploration of the signal do not matter."""
        pin = signal("concise", NOW_MS, source="user", tier=tier, default="detailed", explore=1.0)
        choice = _of({"length": pin}).choose(unit)
        assert choice.values["length"] == "concise"
        assert _followed(choice, "length")["propensity"] == 1.0


class TestExploration:
    """Other values appear at the signal's rate, with their true propensities."""

    @given(unit=st.text(), explore=st.floats(0, 1))
    def test_same_unit_same_choice_and_a_known_value(self, unit: str, explore: float) -> None:
        adaptation = _of({"length": signal("concise", NOW_MS, explore=explore)})
        choice = adaptation.choose(unit)
        assert choice == adaptation.choose(unit)
        assert choice.values["length"] in CATALOGUE.facets["length"].values

    @given(explore=st.floats(0, 1), facet=st.sampled_from(["length", "format"]))
    def test_propensities_of_all_values_sum_to_one(self, explore: float, facet: str) -> None:
        values = CATALOGUE.facets[facet].values
        adaptation = _of({facet: signal(values[0], NOW_MS, default=None, explore=explore)})
        seen = [_followed(adaptation.choose(str(unit)), facet) for unit in range(200)]
        propensity = {entry["value"]: entry["propensity"] for entry in seen}
        assert propensity.get(values[0], 1 - explore) == 1 - explore
        others = {propensity[value] for value in values[1:] if value in propensity}
        assert others <= {explore / (len(values) - 1)}

    def test_values_appear_at_the_rate_of_their_propensities(self) -> None:
        """In 20,000 conversations, each share differs by less than 0.01, or three standard errors."""
        adaptation = _of({"format": signal("bullets", NOW_MS, default=None, explore=0.3)})
        drawn = Counter(adaptation.choose(f"conversation-{unit}").values["format"] for unit in range(20_000))
        shares = {value: count / 20_000 for value, count in drawn.items()}
        assert shares == pytest.approx({"bullets": 0.7, "prose": 0.1, "table": 0.1, "code": 0.1}, abs=0.01)

    def test_facets_are_drawn_independently(self) -> None:
        explored = signal("concise", NOW_MS, explore=0.5)
        adaptation = _of({"length": explored, "format": signal("prose", NOW_MS, default=None, explore=0.5)})
        pairs = Counter(
            (choice.values["length"] == "concise", choice.values["format"] == "prose")
            for choice in (adaptation.choose(str(unit)) for unit in range(4_000))
        )
        assert all(count == pytest.approx(1_000, abs=120) for count in pairs.values())

    def test_multiple_valued_facet_is_not_explored(self) -> None:
        adaptation = _of({"genre": signal("jazz", NOW_MS, default=None, explore=1.0)}, by=MUSIC)
        assert adaptation.choose("c").values == {"genre": "jazz"}

    @pytest.mark.parametrize("source", ["population", "learned"])
    def test_new_users_get_no_exploration(self, source: Source) -> None:
        """The choice follows the population's signal without its exploration."""
        of_all = signal("concise", NOW_MS, source=source, explore=1.0)
        assert _of({}, defaults={"length": of_all}).choose("c").values["length"] == "concise"


class TestPrompt:
    """A few sentences, all from the catalogue."""

    def test_sentences_stand_in_the_catalogues_order(self) -> None:
        choice = _of({"tone": signal("formal", NOW_MS), "length": signal("concise", NOW_MS)}).choose("c")
        assert choice.prompt() == (
            "Keep answers short. Write in flowing prose. Keep a formal tone. Assume a working knowledge of the "
            "subject. Suggest next steps."
        )

    def test_is_bounded_and_cuts_no_sentence(self) -> None:
        adaptation = _of({f"f{number}": signal("a", NOW_MS, default=None) for number in range(5)}, by=WORDY)
        prompt = adaptation.choose("c").prompt()
        assert len(prompt) <= MAX_PROMPT
        assert prompt == f"{'v' * 200} {'w' * 200}"

    def test_value_without_a_sentence_adds_no_text(self) -> None:
        assert _of({"mood": signal("calm", NOW_MS, default=None)}, by=MUSIC).choose("c").prompt() == ""
