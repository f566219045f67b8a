"""tacit/reader/describing: the description of a user, and at most one question per conversation, never twice."""

import re
from collections.abc import Mapping
from dataclasses import replace
from itertools import count
from types import MappingProxyType

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.catalogue.numbered import NumberedCatalogue
from tacit.contract.gates import UNASKED, UNKNOWN, Consents, ReadConsent
from tacit.contract.signals import ContextValue, Profile, Session, Signal
from tacit.reader.adaptation import Adaptation, Status
from tacit.reader.choice import Strength
from tacit.reader.description import Description, Preference
from tests.support.sample_signals import NOW_MS, profile, signal

CATALOGUE = NumberedCatalogue.load()
GRANTED = Consents("granted", "granted", "granted")


def _signal(facet: str, confidence: float, gap: float, **changes: object) -> Signal:
    """Return a signal of the first value before the second one, with the tier of its confidence."""
    values = CATALOGUE.facets[facet].values
    tier = "apply" if confidence >= 0.8 else "hint" if confidence >= 0.6 else "default"
    members = {"confidence": confidence, "gap": gap, "tier": tier, "runner_up": values[1]} | changes
    return msgspec.structs.replace(signal(values[0], NOW_MS, default=CATALOGUE.facets[facet].default), **members)


def _of(
    signals: Mapping[str, Signal] = MappingProxyType({}),
    *,
    profile: Profile | None = None,
    consent: Consents = GRANTED,
    status: Status = "fresh",
    defaults: Mapping[str, Signal] | None = None,
    by: NumberedCatalogue = CATALOGUE,
) -> Adaptation:
    return Adaptation(status, signals, profile, defaults or {}, by, consent)


SURE = {facet: _signal(facet, 0.95, 0.3) for facet in CATALOGUE.facets}


class TestDescription:
    """Profile and preferences of a user."""

    def test_preferences_have_strength_runner_up_and_gap(self) -> None:
        """In the catalogue's order; a facet below `hint` is not known."""
        pin = signal("formal", NOW_MS, source="user")
        unsure = _signal("expertise", 0.55, 0.01)
        hinted = _signal("format", 0.7, 0.03)
        adaptation = _of({"length": _signal("length", 0.9, 0.22), "format": hinted, "tone": pin, "expertise": unsure})
        found = adaptation.describe("c", explore=False)
        assert found.preferences == (
            Preference("length", "concise", "apply", "balanced", 0.22),
            Preference("format", "prose", "hint", "bullets", 0.03),
            Preference("tone", "formal", "pin", None, None),
        )
        assert found.unsure == ("initiative", "expertise")

    def test_context_counts(self) -> None:
        """Without a gap, as an entry of a context has none."""
        entry = ContextValue("topic:email", "table", 0.9, "apply", "prose")
        adaptation = _of({"format": _signal("format", 0.9, 0.2, contexts=(entry,))})
        assert adaptation.describe("c", topic="email", explore=False).preferences == (
            Preference("format", "table", "apply", "prose", None),
        )

    def test_profile_gives_topics_recency_and_session(self) -> None:
        """A session is shown for an hour."""
        seen = profile(NOW_MS)
        found = _of(profile=seen).describe("c")
        assert (found.topics, found.recency, found.session) == (seen.topics, "hour", Session(NOW_MS, 1, 0.0))
        earlier = msgspec.structs.replace(seen, activity=msgspec.structs.replace(seen.activity, hour=0))
        assert (_of(profile=earlier).describe("c").recency, _of(profile=earlier).describe("c").session) == ("day", None)

    def test_populations_opinion_is_not_known_of_the_user(self) -> None:
        """Even with a sure signal."""
        of_all = _signal("length", 0.95, 0.3, source="population")
        for adaptation in (_of({"length": of_all}), _of(defaults={"length": of_all}, status="absent")):
            found = adaptation.describe("c", explore=False)
            assert found.preferences == ()
            assert set(found.unsure) == set(CATALOGUE.facets)

    @pytest.mark.parametrize("learn", ["unasked", "lapsed", "denied", "unknown"])
    def test_without_consent_to_learn_there_is_the_consent_alone(self, learn: ReadConsent) -> None:
        """Pins, too, are left out."""
        consent = Consents(learn, "granted", "granted")
        adaptation = _of(SURE, profile=profile(NOW_MS), consent=consent)
        assert adaptation.describe("c") == Description(consent, is_permitted=False)

    def test_opted_out_user_has_the_consent_alone(self) -> None:
        """Consent to learn does not matter."""
        consent = Consents("granted", "denied", "granted")
        assert _of(consent=consent, status="opted_out").describe("c") == Description(consent, is_permitted=False)
        assert _of(consent=UNKNOWN, status="unavailable").describe("c").text().startswith("Consent: learn unknown")

    def test_catalogue_has_the_consent_of_users_who_were_not_asked(self) -> None:
        """As for choices."""
        granted = msgspec.structs.replace(
            CATALOGUE, consent=msgspec.structs.replace(CATALOGUE.consent, default="granted")
        )
        assert _of(consent=UNASKED, by=granted).describe("c").is_permitted
        assert not _of(consent=UNASKED).describe("c").is_permitted

    @given(st.text(), st.none() | st.text(), st.sampled_from([*CATALOGUE.facets]))
    def test_every_word_is_the_catalogues_or_a_constant(self, unit: str, topic: str | None, facet: str) -> None:
        """No text of unit, topic or signal gets into it."""
        unsure = _signal(facet, 0.7, 0.05)
        text = _of({facet: unsure}, profile=profile(NOW_MS)).describe(unit, topic=topic, surface=topic).text()
        assert set(re.findall(r"[a-z-]{3,}", text.lower())) <= WORDS


WORDS = set(
    re.findall(
        r"[a-z-]{3,}",
        " ".join(
            [
                "worth asking once main topics last active within the hour session turns of them disliked",
                "set by user known likely rather than clearly somewhat slightly not",
                *CATALOGUE.facets,
                *CATALOGUE.topics.values,
                *(value for facet in CATALOGUE.facets.values() for value in facet.values),
                *((facet.question or "").lower() for facet in CATALOGUE.facets.values()),
            ]
        ),
    )
)


class TestQuestion:
    """The question that settles most."""

    def test_facet_with_most_to_gain_is_asked_about(self) -> None:
        """Format: as unsure as the length, with more at stake."""
        signals = SURE | {"length": _signal("length", 0.7, 0.03), "format": _signal("format", 0.7, 0.08)}
        question = _of(signals).describe("c").question
        assert question is not None
        assert (question.facet, question.text) == ("format", CATALOGUE.facets["format"].question)

    def test_sure_facets_are_not_asked_about(self) -> None:
        """Nothing is left to settle."""
        assert _of(SURE).describe("c").question is None

    def test_little_at_stake_is_not_worth_a_question(self) -> None:
        """The value is hardly better than the runner-up, and this is known."""
        assert _of(SURE | {"length": _signal("length", 0.75, 0.01)}).describe("c").question is None

    def test_careful_facet_is_not_asked_about(self) -> None:
        """A permission to act is for a settings page."""
        assert _of(SURE | {"initiative": _signal("initiative", 0.5, 0.0)}).describe("c").question is None
        with_question = msgspec.structs.replace(CATALOGUE.facets["initiative"], question="May I act?")
        by = msgspec.structs.replace(CATALOGUE, facets={**CATALOGUE.facets, "initiative": with_question})
        assert _of(SURE | {"initiative": _signal("initiative", 0.5, 0.0)}, by=by).describe("c").question is None

    def test_facet_with_values_by_context_is_not_asked_about(self) -> None:
        """A pin would hold on every topic."""
        entry = ContextValue("topic:email", "table", 0.9, "apply", "prose")
        unsure = _signal("format", 0.5, 0.0, contexts=(entry,))
        assert _of(SURE | {"format": unsure}).describe("c").question is None

    def test_conversation_has_one_question_and_no_facet_two(self) -> None:
        """The assistant remembers facets and conversations until the pin event has reached Redis."""
        adaptation, asked = _of(status="absent"), dict[str, str]()
        for unit in map(str, count()):
            question = adaptation.describe(unit, asked=asked).question
            if question is None:
                break
            asked[question.facet] = unit
            assert adaptation.describe(unit, asked=asked).question is None
        assert set(asked) == {name for name, facet in CATALOGUE.facets.items() if facet.question} != set()

    def test_answered_facet_is_not_asked_about_by_any_process(self) -> None:
        """The gate has the pin event; a removed pin is the answer "no preference"."""
        new = _of(status="absent")
        first = new.describe("c").question
        assert first is not None
        later = replace(new, decided=frozenset({first.facet})).describe("c-2").question
        assert later is not None
        assert later.facet != first.facet

    @pytest.mark.parametrize("status", ["unavailable", "unknown_schema"])
    def test_nothing_is_asked_where_signals_could_not_be_read(self, status: Status) -> None:
        """The answer may be known."""
        assert _of(status=status).describe("c").question is None

    def test_holdout_and_apprentices_ask_nothing(self) -> None:
        """A question would change what is compared."""
        held_out = replace(_of(SURE), held_out=True)
        apprentice = _of(SURE, by=msgspec.structs.replace(CATALOGUE, mode="apprentice"))
        strengths: set[Strength] = set()
        for adaptation in (held_out, apprentice):
            found = adaptation.describe("c")
            assert (found.question, found.unsure) == (None, ())
            strengths |= {preference.strength for preference in found.preferences}
        assert strengths == set()
