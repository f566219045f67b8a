"""tacit_service/page/why_view: the explanation of a facet in plain words."""

from dataflows.control.why_document import (
    ChangeDocument,
    Predicted,
    Served,
    Side,
    Value,
    WhyFacet,
    WithoutDocument,
)
from tacit.contract.names import Names
from tacit_service.page.why_view import why_view
from tests.tacit_service.page.samples import CATALOGUE, ENGLISH, GERMAN, NOW_MS

NOTHING = Side(0.0, {}, 0.0, 0)
LEARNED = Predicted("concise", "balanced", 0.9, "apply", 0.8, 0.2, ())
WHY = WhyFacet(
    facet="length",
    title="Answer length",
    served=Served("concise", "apply", "learned"),
    pin=None,
    learned=LEARNED,
    without_pin="concise",
    default="balanced",
    default_of="catalogue",
    evidence=9.0,
    against=1.0,
    values=(
        Value("concise", 0.8, 0.4, 0.1, Side(9.0, {"thumbs_up": 3}, 6.0, NOW_MS), NOTHING),
        Value("detailed", 0.3, -0.4, 0.1, NOTHING, Side(2.0, {"thumbs_down": 1, "shorter": 1}, 0.0, NOW_MS)),
    ),
    without=(
        WithoutDocument("for", 3, 6.0, LEARNED, "sums"),
        WithoutDocument("all", 5, 6.0, Predicted("balanced", "concise", 0.6, "hint", 0.5, 0.1, ()), "sums"),
    ),
    changes=(
        ChangeDocument(4, "thumbs_up", "concise", "concise", "apply"),
        ChangeDocument(2, "thumbs_up", "detailed", "detailed", "hint"),
    ),
    has_uncounted=False,
    text=("For operators.",),
)


def test_feedback_for_and_against_each_value_is_in_words() -> None:
    found = why_view(WHY, Names.of(CATALOGUE, "en"), ENGLISH, NOW_MS)
    assert found.title == "Answer length"
    assert [(each.label, each.liked, each.evidence_for, each.evidence_against) for each in found.values] == [
        (
            "short",
            "80%",
            "you liked 3 short answers and earlier feedback; the newest on November 21",
            "nothing",
        ),
        (
            "thorough",
            "30%",
            "nothing",
            "you disliked 1 thorough answer and you asked for shorter answers once; the newest on November 21",
        ),
    ]


def test_only_a_change_of_the_value_is_named() -> None:
    found = why_view(WHY, Names.of(CATALOGUE, "en"), ENGLISH, NOW_MS)
    assert found.sentences == (
        "Without all this feedback it would be “medium length”.",
        "It would become “thorough” with this in addition: you liked 2 thorough answers.",
    )
    german = why_view(WHY, Names.of(CATALOGUE, "de"), GERMAN, NOW_MS)
    assert german.sentences[1] == "Es würde zu „ausführlich“, wenn noch dazukäme: Sie mochten 2 ausführliche Antworten."
