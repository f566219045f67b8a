"""tacit/reader/description: the description in words, bounded and of the catalogue's vocabulary."""

from hypothesis import given
from hypothesis import strategies as st

from tacit.contract.activity import Activity
from tacit.contract.gates import UNASKED, Consents
from tacit.contract.signals import Session
from tacit.reader.description import MAX_DESCRIPTION, Description, Preference, Question, recency_of
from tests.support.sample_signals import NOW_MS

GRANTED = Consents("granted", "granted", "granted")
NAMES = st.text("abcdefghij", min_size=1, max_size=40)


def test_description_in_words() -> None:
    """One sentence per part."""
    found = Description(
        GRANTED,
        (("email", 0.516), ("code", 0.3)),
        "hour",
        Session(NOW_MS, 4, 0.25),
        (
            Preference("tone", "formal", "pin"),
            Preference("length", "concise", "apply", "balanced", 0.22),
            Preference("format", "code", "hint", "prose", 0.03),
            Preference("expertise", "expert", "hint", "novice", None),
        ),
        ("initiative",),
        Question("format", "Do you like prose or code first?", 0.03),
    )
    assert found.text() == (
        "Worth asking, once: Do you like prose or code first? Main topics: email 52 %, code 30 %. "
        "Last active within the hour. Session: 4 turns, 25 % of them disliked. Set by the user: tone formal. "
        "Known: length concise rather than balanced, clearly. "
        "Likely: format code rather than prose, slightly; expertise expert rather than novice. Not known: initiative."
    )


def test_without_consent_the_text_is_the_consent() -> None:
    """So that the assistant can ask for it."""
    found = Description(UNASKED, is_permitted=False)
    assert found.text() == "Consent: learn unasked, use unasked, explore unasked."


@given(st.lists(NAMES, max_size=64), st.lists(NAMES, max_size=64))
def test_text_is_bounded(facets: list[str], unsure: list[str]) -> None:
    """A sentence that exceeds the limit is left out as a whole."""
    preferences = tuple(Preference(facet, "v" * 40, "apply", "w" * 40, 0.1) for facet in facets)
    text = Description(GRANTED, (), "week", None, preferences, tuple(unsure)).text()
    assert len(text) <= MAX_DESCRIPTION
    assert text.endswith(".")


def test_recency_is_the_shortest_window_with_a_turn() -> None:
    """Of the three windows, or none."""
    activities = [Activity(1, 2, 3), Activity(0, 2, 3), Activity(0, 0, 3), Activity(0, 0, 0)]
    assert [recency_of(activity) for activity in activities] == ["hour", "day", "week", "earlier"]
