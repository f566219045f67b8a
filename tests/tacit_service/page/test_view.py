"""tacit_service/page/view: every text of the page, from facts."""

import dataclasses

from msgspec.structs import replace

from tacit.contract.activity import DAY_MS, HOUR_MS
from tacit.contract.gates import Gate, GatePin, ScopeConsent
from tacit.contract.history import Action, History
from tacit.contract.versions import version
from tacit_service.page.facts import Facts
from tacit_service.page.rows import Row
from tacit_service.page.view import View, view
from tacit_service.undo import undoable
from tests.tacit_service.page.samples import (
    CATALOGUE,
    GATE,
    GERMAN,
    LENGTH,
    NOW_MS,
    known_user,
    learned,
    new_user,
)


def row(found: View, facet: str) -> Row:
    return next(each for each in found.rows if each.facet == facet)


def replace_history(facts: Facts, history: History) -> Facts:
    return dataclasses.replace(facts, history=history)


def test_row_has_value_confidence_and_reasons_in_words() -> None:
    found = row(view(known_user()), "length")
    assert (found.title, found.value, found.sure) == ("Answer length", "short", "sure (91%)")
    assert found.origin == "Learned from your feedback."
    assert found.why == (
        "Because you liked 5 short answers and you asked for shorter answers once.",
        "Against it: you disliked 1 short answer.",
        "Your earlier feedback counts, too.",
        "In effect since November 19.",
    )
    assert [dataclasses.asdict(each) for each in found.differences] == [
        {"context": "email", "value": "thorough", "sure": "sure (83%)"}
    ]
    assert [(each.value, each.is_current) for each in found.options] == [
        ("concise", True),
        ("balanced", False),
        ("detailed", False),
    ]
    assert (found.is_learned, found.is_pinned) == (True, False)


def test_row_in_german() -> None:
    found = row(view(known_user(GERMAN)), "length")
    assert (found.title, found.value, found.sure) == ("Länge der Antworten", "kurz", "sicher (91\xa0%)")
    assert found.why[:2] == (
        "Der Grund: Sie mochten 5 kurze Antworten und Sie wollten einmal kürzere Antworten.",
        "Dagegen spricht: Sie mochten 1 kurze Antwort nicht.",
    )


def test_pin_is_the_users_choice_and_has_no_confidence() -> None:
    found = row(view(known_user()), "tone")
    assert (found.value, found.origin) == ("formal", "You chose this on November 21.")
    assert (found.is_pinned, found.is_learned, found.confidence, found.sure) == (True, False, None, "")


def test_facet_without_feedback_is_as_usual() -> None:
    found = row(view(known_user()), "initiative")
    assert found.origin == "As usual for this assistant. Nothing was learned from you yet."
    assert found.value == "suggests next steps"
    assert not found.is_learned


def test_default_of_the_population_is_as_most_users_like_it() -> None:
    popular = replace(learned("bullets", 0.9), source="population", default="bullets")
    found = row(view(known_user(defaults={"format": popular})), "format")
    assert (found.value, found.origin) == ("bullet points", "As most users like it. Nothing was learned from you yet.")


def test_value_that_is_not_in_effect_is_named_as_such() -> None:
    """Held out of adaptation: the answers have the default, and the feedback points to another value."""
    found = view(known_user(held_out=True))
    assert row(found, "length").value == "medium length"
    assert row(found, "length").why[0] == "Your feedback points to “short”."
    assert found.notices == (
        "For a comparison, your answers are as usual for this assistant at present. Your own choices hold.",
    )


def test_pin_waits_without_consent_to_use() -> None:
    gate = replace(GATE, use=ScopeConsent("denied", NOW_MS))
    found = view(known_user(gate=gate, status="opted_out", signals={}, profile=None))
    assert row(found, "tone").origin == "You chose “formal”, which waits."
    assert not row(found, "tone").is_choice
    assert row(found, "length").origin == "As usual for this assistant, while the use in answers is off."
    assert found.last_learned == "What was learned waits, while the use in answers is off."
    assert found.is_withheld
    assert [each.is_on for each in found.switches] == [True, False, False]
    assert found.switches[1].state == "Off. You turned it off on November 21."


def test_removed_pin_is_no_choice() -> None:
    gate = Gate(pins={"tone": GatePin(None, NOW_MS)})
    found = row(view(known_user(gate=gate, signals={})), "tone")
    assert not found.is_pinned


def test_switches_name_state_and_day() -> None:
    found = view(known_user()).switches
    assert [each.scope for each in found] == ["learn", "use", "explore"]
    assert [each.is_on for each in found] == [True, True, False]
    assert found[0].state == "On. You allowed it on October 12."
    assert [bool(each.warning) for each in found] == [True, False, False]


def test_unasked_consent_follows_the_catalogue() -> None:
    """Use needs no consent, but learning and trying things out do, if the catalogue requires it."""
    required = view(new_user()).switches
    assert [(each.is_on, each.state) for each in required] == [
        (False, "Off, until you turn it on."),
        (True, "On. This assistant does it unless you object."),
        (False, "Off, until you turn it on."),
    ]
    granted = replace(CATALOGUE, consent=replace(CATALOGUE.consent, default="granted"))
    lapsed = Gate(learn=ScopeConsent("lapsed", NOW_MS), explore=ScopeConsent("lapsed", NOW_MS))
    found = view(known_user(catalogue=granted, gate=lapsed)).switches
    assert [each.is_on for each in found] == [True, True, False]
    assert found[2].state == "Off. Your permission ended on November 21, as you were away for long."


def test_nothing_is_tried_out_without_learning() -> None:
    gate = replace(GATE, learn=ScopeConsent("denied", NOW_MS), explore=ScopeConsent("granted", NOW_MS))
    assert view(known_user(gate=gate)).switches[2].note == "Nothing is tried out while your assistant does not learn."
    quiet = replace(CATALOGUE, explore=False)
    assert view(known_user(catalogue=quiet)).switches[2].note == "This assistant tries nothing out at present."


def test_last_thing_learned_is_the_newest_learned_change() -> None:
    """Else the newest signal."""
    assert view(known_user()).last_learned == (
        "Last thing learned, on November 19: Answer length: from “as usual” to “short”. Learned from your feedback."
    )
    without = replace_history(known_user(), History(version(0, 0)))
    assert view(without).last_learned == "Last thing learned, on November 19: Answer length: short"
    assert view(new_user()).last_learned == "Nothing was learned from your feedback yet."


def test_prompt_is_the_assistants_own_by_topic_where_it_differs() -> None:
    found = view(known_user())
    assert found.prompt == "Keep answers short. Keep a formal tone."
    assert found.prompts == (("email", "Give thorough answers with the details. Keep a formal tone."),)


def test_activity_is_shown_with_the_chart_in_words() -> None:
    found = view(known_user()).held
    assert found is not None
    assert [(each.label, each.text) for each in found.topics] == [("programming", "60%"), ("email", "40%")]
    assert found.turns == "57 answers in the last 7 days; of these, 12 in the last 24 hours and 3 in the last hour."
    assert found.session == (
        "The newest session began on November 21, 20:43 UTC: 6 answers, of which you disliked 50%."
    )
    assert len(found.bars) == 24
    assert found.busiest == "Most turns are in these hours (UTC): 8–9, 9–10, and 20–21."
    assert found.hours == (("8–9", "8"), ("9–10", "14"), ("20–21", "1.5"))


def test_sensitive_topics_are_never_kept() -> None:
    assert any("health and money" in text for text in view(known_user()).never_kept)
    assert view(new_user()).held is None


def test_times_of_readers_and_of_the_learning_program_differ() -> None:
    """A user who was away for long is in the state, and not in Redis."""
    kept = "The learning program keeps what was learned for up to 120 days after you last used the assistant."
    assert view(known_user()).until[-2] == kept
    assert view(new_user()).until[0] == kept
    assert view(new_user()).notices == (
        "Assistants can read nothing about you: nothing was learned yet, or you were away for long.",
    )


def test_changes_are_newest_first_and_grouped_by_week() -> None:
    found = view(known_user()).changes
    assert [each.is_recent for each in found] == [True, True, False]
    assert found[0].text == "Tone: from “neutral” to “formal”. You chose it."
    assert found[2].time == "November 1, 21:43 UTC"


def test_own_actions_can_be_undone_for_a_day() -> None:
    found = view(known_user()).actions
    assert [(each.text, each.can_undo) for each in found] == [
        ("You chose Tone: formal.", True),
        ("You turned off: trying things out.", False),
    ]


def undone(*actions: Action, now_ms: int = NOW_MS) -> list[Action]:
    return list(undoable(History(version(NOW_MS, 1), actions), now_ms))


def test_undo_ends_with_a_later_action_on_the_same_thing() -> None:
    pin = Action(at_ms=NOW_MS - HOUR_MS, action="pin", facet="tone", value="formal")
    other = Action(at_ms=NOW_MS, action="unpin", facet="length", previous="concise")
    assert undone(pin, other) == [other, pin]
    assert undone(pin, replace(other, facet="tone")) == [replace(other, facet="tone")]
    assert undone(pin, Action(at_ms=NOW_MS, action="forget")) == []
    assert undone(pin, Action(at_ms=NOW_MS, action="forget", facet="length")) == [pin]
    assert undone(pin, now_ms=NOW_MS + DAY_MS) == []
    assert undone(replace(pin, previous="formal")) == []


def test_undo_of_a_consent_restores_an_answer_only() -> None:
    """Not a state without an answer, and not by a withdrawal of `learn`, which deletes."""
    no = Action(at_ms=NOW_MS, action="consent", scopes=("learn", "use"), states=("granted", "granted"), granted=False)
    assert undone(no) == [no]
    assert undone(replace(no, states=("granted", "unasked"))) == []
    assert undone(replace(no, granted=True, states=("denied", "denied"))) == []
    yes = replace(no, granted=True, scopes=("use",), states=("denied",))
    assert undone(yes) == [yes]
    assert undone(no, yes) == [yes]


def test_two_actions_of_one_second_have_one_undo() -> None:
    """Times are whole seconds: the newer one can be undone."""
    pin = Action(at_ms=NOW_MS, action="pin", facet="tone", value="formal")
    facts = known_user()
    history = History(version(NOW_MS, 1), (pin, replace(pin, value="friendly", previous="formal")))
    found = view(replace_history(facts, history)).actions
    assert [(each.text, each.can_undo) for each in found] == [
        ("You chose Tone: friendly.", True),
        ("You chose Tone: formal.", False),
    ]


def test_catalogue_without_labels_shows_its_names() -> None:
    found = row(view(known_user(catalogue=replace(CATALOGUE, labels={}))), "length")
    assert found.value == "concise"
    assert found.why[:2] == (
        "Because you gave the feedback “thumbs_up” 5 times and you gave the feedback “shorter” once.",
        "Against it: you gave the feedback “thumbs_down” once.",
    )


def test_confidence_has_four_words() -> None:
    shown = [row(view(known_user(signals={"length": learned("concise", each)})), "length").sure for each in
             (0.97, 0.8, 0.6, 0.55)]  # fmt: skip
    assert shown == ["very sure (97%)", "sure (80%)", "fairly sure (60%)", "not sure yet (55%)"]
    assert LENGTH.confidence == 0.91
