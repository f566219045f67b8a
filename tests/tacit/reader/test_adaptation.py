"""tacit/reader/adaptation: choices are stable, explore at their rate, and stay within the catalogue."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from math import fsum
from types import MappingProxyType

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from state.catalogue.numbered import NumberedCatalogue
from tacit.contract.catalogue import Facet
from tacit.contract.gates import UNASKED, Consents, ReadConsent
from tacit.contract.policy import MIN_PROPENSITY, propensities
from tacit.contract.signals import ContextValue, Signal, Source
from tacit.reader.adaptation import Adaptation, Status
from tacit.reader.choice import Choice, Followed
from tests.support.factories import CATALOGUE, REQUIRED
from tests.support.sample_signals import NOW_MS, signal

GRANTED = Consents("granted", "granted", "granted")
MUSIC = NumberedCatalogue.parse(
    'schema = 1\n[facets.genre]\ntitle = "Genre"\nvalues = ["jazz", "rock"]\nmultiple = true\n'
    '[facets.mood]\ntitle = "Mood"\nvalues = ["calm", "wild"]\n'
)
FORMATS = CATALOGUE.facets["format"].values


def _of(
    signals: Mapping[str, Signal],
    *,
    defaults: Mapping[str, Signal] = MappingProxyType({}),
    by: NumberedCatalogue = CATALOGUE,
    consent: Consents = GRANTED,
    status: Status = "fresh",
) -> Adaptation:
    return Adaptation(status, signals, None, defaults, by, consent)


def _with(facet: str, **changes: object) -> NumberedCatalogue:
    changed = msgspec.structs.replace(CATALOGUE.facets[facet], **changes)
    return msgspec.structs.replace(CATALOGUE, facets={**CATALOGUE.facets, facet: changed})


def _followed(choice: Choice, facet: str) -> Followed:
    [entry] = [entry for entry in choice.acted_on if entry["facet"] == facet]
    return entry


def _unsure(value: str, explore: float = 0.1, **changes: object) -> Signal:
    """Return a signal of a value of the format that is far from sure."""
    found = signal(value, NOW_MS, tier="default", default="prose", explore=explore)
    return msgspec.structs.replace(found, confidence=0.5, **changes)


@st.composite
def explored_formats(draw: st.DrawFn) -> Signal:
    """Signals of the format with any exploration and runner-up, and with another value in mails."""
    value, in_mail = draw(st.sampled_from(FORMATS)), draw(st.sampled_from(FORMATS))
    runner_up = draw(st.none() | st.sampled_from(FORMATS))
    entry = ContextValue("topic:email", in_mail, draw(st.floats(0, 1)), "default", runner_up)
    return _unsure(value, draw(st.floats(0, 1)), runner_up=runner_up, contexts=(entry,))


class TestValues:
    """Value of a conversation without exploration."""

    def test_value_is_served_before_it_is_sure(self) -> None:
        """With the version of the user's signal."""
        choice = _of({"format": _unsure("code", explore=0.0)}).choose("c")
        assert choice.values["format"] == "code"
        version = f"{NOW_MS}-0000000001"
        assert _followed(choice, "format") == Followed(facet="format", value="code", version=version, propensity=1.0)

    def test_facet_without_signal_takes_the_populations_default_then_the_catalogues(self) -> None:
        """Neither has a version."""
        of_all = signal("concise", NOW_MS, source="population", default="concise")
        choice = _of({}, defaults={"length": of_all}).choose("c")
        assert choice.values["length"] == "concise"
        assert choice.values["tone"] == "neutral"
        assert [_followed(choice, facet)["version"] for facet in ("length", "tone")] == [None, None]

    def test_facet_without_a_default_is_left_out(self) -> None:
        """Of a user without signals."""
        choice = _of({}, by=MUSIC).choose("c")
        assert (choice.values, choice.acted_on, choice.prompt()) == ({}, (), "")

    def test_own_signal_outranks_the_populations(self) -> None:
        """The population's signal is for facets without an own one."""
        own, of_all = signal("concise", NOW_MS), signal("detailed", NOW_MS, source="population")
        assert _of({"length": own}, defaults={"length": of_all}).choose("c").values["length"] == "concise"

    @given(unit=st.text(), topic=st.none() | st.text(), surface=st.none() | st.sampled_from(["chat", "voice"]))
    def test_pin_always_wins(self, unit: str, topic: str | None, surface: str | None) -> None:
        """Default, exploration and context do not matter."""
        entry = ContextValue("surface:voice", "balanced", 0.9, "apply", None)
        pin = signal("concise", NOW_MS, source="user", default="detailed", explore=1.0)
        adaptation = _of({"length": msgspec.structs.replace(pin, contexts=(entry,))})
        choice = adaptation.choose(unit, topic=topic, surface=surface)
        assert choice.values["length"] == "concise"
        assert choice.strengths["length"] == "pin"
        assert _followed(choice, "length")["propensity"] == 1.0


class TestContexts:
    """One choice per topic and surface, and one draw per conversation."""

    PROSE_IN_MAILS = _unsure(
        "code", explore=0.0, contexts=(ContextValue("topic:email", "prose", 0.99, "apply", "code"),)
    )

    def test_value_of_the_topic_is_served_on_the_topic(self) -> None:
        """A user who likes prose in mail and code in chat gets both."""
        adaptation = _of({"format": self.PROSE_IN_MAILS})
        assert adaptation.choose("c", topic="email").values["format"] == "prose"
        assert adaptation.choose("c", topic="code").values["format"] == "code"

    @pytest.mark.parametrize("name", ["", "no-topic", "topic:email", "health", "\0"])
    def test_unknown_topic_counts_as_none(self, name: str) -> None:
        """A sensitive topic, too."""
        adaptation = _of({"format": self.PROSE_IN_MAILS})
        assert adaptation.choose("c", topic=name, surface=name) == adaptation.choose("c")

    @settings(max_examples=30)
    @given(explored_formats())
    def test_new_topic_within_a_conversation_keeps_the_draw(self, explored: Signal) -> None:
        """The choice is the same if value and exploration of the topic are."""
        entry = ContextValue("topic:code", explored.value, 0.5, "default", explored.runner_up)
        same = msgspec.structs.replace(explored, explore=0.1, contexts=(entry,))
        adaptation = _of({"format": same})
        for unit in map(str, range(50)):
            assert adaptation.choose(unit, topic="code") == adaptation.choose(unit)


class TestExploration:
    """Other values appear at the rate of their propensities."""

    @given(unit=st.text(), explored=explored_formats(), topic=st.none() | st.just("email"))
    def test_same_unit_same_choice_and_a_known_value(self, unit: str, explored: Signal, topic: str | None) -> None:
        """In every context."""
        adaptation = _of({"format": explored})
        choice = adaptation.choose(unit, topic=topic)
        assert choice == adaptation.choose(unit, topic=topic)
        assert choice.values["format"] in FORMATS

    @settings(max_examples=20, deadline=None)
    @given(explored=explored_formats(), topic=st.none() | st.just("email"))
    def test_shares_of_units_match_the_propensities(self, explored: Signal, topic: str | None) -> None:
        """Of 4,000 conversations, within six standard errors. Propensities sum to 1, and none is below 0.01."""
        units = 4_000
        adaptation = _of({"format": explored})
        seen = [_followed(adaptation.choose(f"conversation-{unit}", topic=topic), "format") for unit in range(units)]
        propensity = {entry["value"]: entry["propensity"] for entry in seen}
        assert fsum(propensity.values()) == 1.0
        assert all(entry["propensity"] < 1.0 for entry in seen if "runner_up" in entry)
        assert min(propensity.values()) >= MIN_PROPENSITY
        for value, count in Counter(entry["value"] for entry in seen).items():
            expected = propensity[value]
            assert count / units == pytest.approx(expected, abs=6 * (expected * (1 - expected) / units) ** 0.5 + 1e-9)

    def test_propensities_are_those_of_the_policy(self) -> None:
        """The worker computes the same ones."""
        adaptation = _of({"format": _unsure("code", runner_up="table")})
        expected = propensities("code", "table", FORMATS, 0.1)
        seen = [_followed(adaptation.choose(str(unit)), "format") for unit in range(1_000)]
        assert {entry["value"]: entry["propensity"] for entry in seen} == expected

    def test_facets_are_drawn_independently(self) -> None:
        """The joint propensity is the product."""
        tone = msgspec.structs.replace(_unsure("formal", 0.5, runner_up="neutral"), default=None)
        adaptation = _of({"format": _unsure("code", 0.5, runner_up="table"), "tone": tone})
        pairs = Counter(
            (choice.values["format"] == "code", choice.values["tone"] == "formal")
            for choice in (adaptation.choose(str(unit)) for unit in range(4_000))
        )
        assert all(count == pytest.approx(1_000, abs=120) for count in pairs.values())

    def test_users_without_signals_explore_by_the_populations_signal(self) -> None:
        """A value that is never tried is never learned."""
        of_all = _unsure("code", source="population", runner_up="prose")
        adaptation = _of({}, defaults={"format": of_all}, status="absent")
        seen = [_followed(adaptation.choose(str(unit)), "format") for unit in range(1_000)]
        assert {entry["value"]: entry["propensity"] for entry in seen} == propensities("prose", "code", FORMATS, 0.1)

    @pytest.mark.parametrize(
        ("learn", "explore"),
        [
            ("granted", "denied"),
            ("granted", "lapsed"),
            ("granted", "unknown"),
            ("denied", "granted"),
            ("unknown", "granted"),
        ],
    )
    def test_nothing_is_tried_without_consent(self, learn: ReadConsent, explore: ReadConsent) -> None:
        """To explore, and to learn from the feedback."""
        assert not _tries(_of({"format": _unsure("code")}, consent=Consents(learn, "granted", explore)))

    @pytest.mark.parametrize("learn", ["unasked", "lapsed"])
    @pytest.mark.parametrize("explore", ["unasked", "granted"])
    def test_catalogue_has_the_consent_of_users_who_were_not_asked(
        self, learn: ReadConsent, explore: ReadConsent
    ) -> None:
        """`granted` or `required`."""
        consent = Consents(learn, "unasked", explore)
        assert _tries(_of({"format": _unsure("code")}, consent=consent))
        assert not _tries(_of({"format": _unsure("code")}, consent=consent, by=REQUIRED))

    def test_exploration_is_off_per_call_and_per_deployment(self) -> None:
        """All propensities are 1."""
        adaptation = _of({"format": _unsure("code")})
        assert _tries(adaptation)
        assert all(adaptation.choose(str(u), explore=False).values["format"] == "code" for u in range(200))
        assert not _tries(_of({"format": _unsure("code")}, by=msgspec.structs.replace(CATALOGUE, explore=False)))

    @pytest.mark.parametrize("changes", [{"explore": "never"}, {"careful": True}, {"multiple": True}])
    def test_exploration_is_off_per_facet(self, changes: dict[str, object]) -> None:
        """By the reader's catalogue."""
        assert not _tries(_of({"format": _unsure("code")}, by=_with("format", **changes)))

    @pytest.mark.parametrize("status", ["opted_out", "unavailable", "unknown_schema"])
    def test_nothing_is_tried_where_signals_could_not_be_read(self, status: Status) -> None:
        """The best value of the user is not known."""
        assert not _tries(_of({}, defaults={"format": _unsure("code", source="population")}, status=status))


def _tries(adaptation: Adaptation) -> bool:
    choices = [adaptation.choose(str(unit)) for unit in range(200)]
    tried = len({choice.values["format"] for choice in choices}) > 1
    assert tried == any(entry["propensity"] < 1 for choice in choices for entry in choice.acted_on)
    return tried


class TestWithheld:
    """The catalogue's defaults: for the holdout, for apprentices, and for users who opted out."""

    SIGNALS = MappingProxyType(
        {"format": _unsure("code", runner_up="table"), "tone": signal("formal", NOW_MS, source="user")}
    )

    def test_held_out_user_gets_defaults_and_pins(self) -> None:
        """Signals stay readable, and nothing is tried."""
        adaptation = replace(_of(self.SIGNALS), held_out=True)
        choices = [adaptation.choose(str(unit)) for unit in range(100)]
        assert {choice.policy for choice in choices} == {"holdout"}
        assert {choice.values["format"] for choice in choices} == {"prose"}
        assert {choice.values["tone"] for choice in choices} == {"formal"}
        assert {entry["propensity"] for choice in choices for entry in choice.acted_on} == {1.0}
        assert _followed(choices[0], "format")["version"] is None
        assert {choice.prompt() for choice in choices} == {"Keep a formal tone."}
        assert adaptation.signals["format"].value == "code"

    def test_holdout_has_the_catalogues_default_and_not_the_populations(self) -> None:
        """The findings of the population model are a part of the comparison."""
        of_all = signal("concise", NOW_MS, source="population", default="concise")
        adaptation = _of({}, defaults={"length": of_all})
        assert adaptation.choose("c").values["length"] == "concise"
        assert replace(adaptation, held_out=True).choose("c").values["length"] == "balanced"

    @given(unit=st.text(), held_out=st.booleans())
    def test_apprentice_serves_defaults_and_proposes_the_choice(self, unit: str, held_out: bool) -> None:
        """Of all users, so the holdout does not matter."""
        live = _of(self.SIGNALS)
        apprentice = _of(self.SIGNALS, by=msgspec.structs.replace(CATALOGUE, mode="apprentice"))
        choice = replace(apprentice, held_out=held_out).choose(unit)
        assert choice.policy == "apprentice"
        assert (choice.values["format"], choice.values["tone"]) == ("prose", "formal")
        assert choice.proposed == live.choose(unit).acted_on
        assert live.choose(unit).proposed == ()

    def test_opted_out_user_gets_the_catalogues_defaults_and_no_prompt(self) -> None:
        """Not the style of the population."""
        of_all = signal("concise", NOW_MS, source="population", default="concise")
        choice = _of({}, defaults={"length": of_all}, status="opted_out").choose("c")
        assert (choice.policy, choice.values["length"], choice.prompt()) == ("opted_out", "balanced", "")

    def test_facet_without_a_default_is_left_out(self) -> None:
        """The assistant has its own style."""
        adaptation = _of({"mood": _unsure("calm")}, by=MUSIC)
        assert replace(adaptation, held_out=True).choose("c").values == {}


class TestStrengths:
    """Values that are known of the user, and values that only have to be served."""

    @pytest.mark.parametrize("source", ["learned", "population"])
    @pytest.mark.parametrize(
        ("value", "tier", "text"),
        [("concise", "apply", "Keep answers short."), ("concise", "hint", "Where it fits: Keep answers short.")],
    )
    def test_own_evidence_is_needed(self, source: Source, value: str, tier: str, text: str) -> None:
        """The population's opinion is a hint at most, and only because the answer has to follow the value."""
        found = msgspec.structs.replace(signal(value, NOW_MS, source=source), tier=tier)
        prompt = _of({"length": found}).choose("c").prompt()
        assert prompt == (text if source == "learned" else "Where it fits: Keep answers short.")

    def test_default_without_evidence_is_left_out(self) -> None:
        """A new user has an empty prompt."""
        assert _of({}, status="absent").choose("c").prompt() == ""
        known = msgspec.structs.replace(signal("balanced", NOW_MS), tier="default")
        assert _of({"length": known}).choose("c").prompt() == ""

    def test_other_value_than_the_default_is_worded_where_feedback_is_learned(self) -> None:
        """Else the feedback would be about another answer."""
        of_all = signal("concise", NOW_MS, source="population", default="concise")
        new, unasked = (_of({}, defaults={"length": of_all}, status="absent", consent=c) for c in (GRANTED, UNASKED))
        assert new.choose("c").prompt() == "Where it fits: Keep answers short."
        assert replace(unasked, _catalogue=REQUIRED).choose("c").prompt() == ""

    def test_tried_value_is_worded_as_a_hint(self) -> None:
        """Even where it is the default."""
        adaptation = _of({"format": msgspec.structs.replace(_unsure("code", runner_up="prose"), tier="apply")})
        prompts = {
            choice.values["format"]: (choice.strengths["format"], choice.prompt())
            for choice in (adaptation.choose(str(unit)) for unit in range(500))
        }
        assert prompts["code"] == ("apply", "Lead with code.")
        assert prompts["prose"] == ("try", "Where it fits: Write in flowing prose.")


def test_careful_facet_is_the_only_one_with_a_value_by_tier() -> None:
    """A user who wants to be asked is never acted upon by a draw."""
    asks = msgspec.structs.replace(signal("ask-first", NOW_MS, default="suggest", explore=0.1), runner_up="act")
    careful = _with("initiative", careful=True)
    assert isinstance(careful.facets["initiative"], Facet)
    adaptation = _of({"initiative": asks}, by=careful)
    assert {adaptation.choose(str(unit)).values["initiative"] for unit in range(500)} == {"ask-first"}
    unsure = msgspec.structs.replace(asks, tier="default")
    assert _of({"initiative": unsure}, by=careful).choose("c").values["initiative"] == "suggest"
