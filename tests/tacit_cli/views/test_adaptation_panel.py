"""Panel and document of an adaptation: status, signals with their reasons, and the prompt."""

import dataclasses
import json
from typing import Any, get_args

import pytest
from msgspec.structs import replace
from rich.console import Console

from state.catalogue.numbered import NumberedCatalogue
from tacit.contract.gates import Consents
from tacit.contract.signals import ContextValue, Signal
from tacit.reader.adaptation import Adaptation, Status
from tacit_cli.views.adaptation_panel import adaptation_as_dict, adaptation_panel
from tests.support.commands import tacit
from tests.support.ports import free_port
from tests.support.sample_signals import NOW_MS, profile, signal

LEARNED = signal("concise", NOW_MS)
PINNED = signal("formal", NOW_MS, source="user")

EXPECTED = {
    "fresh": "status  fresh",
    "aged": "status  aged: no event for half of the time to live",
    "absent": "status  absent: no signals; defaults apply",
    "opted_out": "status  opted out, or the gate in Redis cannot be read: defaults apply",
    "unavailable": "status  Redis did not answer (tacit check has the reason); defaults apply",
    "unknown_schema": "status  written by another version; defaults apply",
}


def _adaptation(status: Status = "fresh", **signals: Signal) -> Adaptation:
    return Adaptation(status, signals, profile(NOW_MS) if status == "fresh" else None, {}, NumberedCatalogue.load())


def _text(adaptation: Adaptation, title: str = "ada", **options: Any) -> str:
    console = Console(width=120, highlight=False, markup=False, emoji=False)
    with console.capture() as capture:
        console.print(adaptation_panel(adaptation, title, **options))
    return capture.get()


@pytest.mark.parametrize("status", get_args(Status))
def test_every_status_has_a_text(status: Status) -> None:
    """Nothing is known of the user, so the prompt is empty."""
    text = _text(_adaptation(status))
    assert EXPECTED[status] in text
    assert "prompt  (empty)" in text


def test_withheld_choice_has_its_policy() -> None:
    """The signals are shown all the same."""
    held_out = dataclasses.replace(_adaptation(length=LEARNED), held_out=True)
    apprentice = dataclasses.replace(held_out, _catalogue=replace(NumberedCatalogue.load(), mode="apprentice"))
    for adaptation, policy in ((held_out, "holdout"), (apprentice, "apprentice")):
        assert f"policy  {policy}: the catalogue's defaults are served" in _text(adaptation)
        shown = adaptation_as_dict(adaptation)
        assert (shown["choice"]["policy"], shown["choice"]["values"]["length"]) == (policy, "balanced")
        assert shown["signals"]["length"]["value"] == "concise"
    assert "policy" not in _text(_adaptation(length=LEARNED))


def test_signal_is_shown_with_its_reasons() -> None:
    """Value, confidence, tier and the feedback that weighs most; a pin has no confidence, and needs no reason."""
    text = _text(_adaptation(length=LEARNED, tone=PINNED))
    assert f"{LEARNED.value}" in text
    assert f"{LEARNED.confidence:.2f}" in text
    assert all(f"{kind} ×{number}" in text for kind, number in LEARNED.why)
    (pinned,) = [line for line in text.splitlines() if line.startswith("│ tone")]
    assert pinned.split()[2:] == [PINNED.value, "–", "apply", "set", "by", "the", "user", "│"]


def test_runner_up_and_contexts_are_shown_in_words() -> None:
    """The degree of the preference, and the contexts where another value is better."""
    entry = ContextValue("topic:email", "detailed", 0.83, "apply", "concise")
    learned = replace(LEARNED, runner_up="balanced", gap=0.22, contexts=(entry,))
    text = _text(_adaptation(length=learned))
    assert "rather than balanced, clearly; thumbs_up ×12" in text
    assert "context topic:email: length detailed (apply)" in text
    assert "context" not in _text(_adaptation(length=LEARNED))


def test_tier_below_apply_has_its_limits() -> None:
    """In the table and for machines; a pin has none."""
    unsure = replace(LEARNED, tier="hint", confidence=0.7)
    adaptation = _adaptation(length=unsure, tone=PINNED)
    assert "too little evidence" in _text(adaptation)
    assert adaptation_as_dict(adaptation)["limited_by"] == {"length": ["too_little_evidence"], "tone": []}


def test_truth_of_a_simulated_user_has_a_column() -> None:
    """Only if there is a truth."""
    assert "in truth" not in _text(_adaptation(length=LEARNED))
    assert "in truth" in _text(_adaptation(length=LEARNED), truth={"length": "detailed"})


def test_user_id_is_shown_as_it_is() -> None:
    """Any text of the producer, without markup."""
    assert "[bold]:smile:[/bold]" in _text(_adaptation(), "[bold]:smile:[/bold]")


def test_consent_is_shown_by_scope() -> None:
    """In the panel and for machines; unknown without a gate that can be read."""
    asked = dataclasses.replace(_adaptation(), consent=Consents("granted", "lapsed", "denied"))
    assert "consent learn granted, use lapsed, explore denied" in _text(asked)
    assert adaptation_as_dict(asked)["consent"] == {"learn": "granted", "use": "lapsed", "explore": "denied"}
    assert "consent learn unknown, use unknown, explore unknown" in _text(_adaptation("unavailable"))


def test_document_is_complete() -> None:
    """As plain values, with a choice made."""
    shown = json.loads(json.dumps(adaptation_as_dict(_adaptation(length=LEARNED, tone=PINNED))))
    assert shown["status"] == "fresh"
    assert shown["signals"]["length"]["v"] == LEARNED.v
    assert shown["signals"]["tone"]["source"] == "user"
    assert shown["profile"]["activity"].keys() == {"1h", "24h", "7d"}
    assert shown["choice"]["values"]["tone"] == PINNED.value
    assert {followed["facet"] for followed in shown["choice"]["acted_on"]} == shown["choice"]["values"].keys()
    assert shown["prompt"] == "Keep answers short. Keep a formal tone."


def test_absent_redis_means_defaults_and_status_1() -> None:
    """An assistant continues with defaults; an operator needs the failure."""
    done = tacit("show", "ada", "--redis", f"redis://127.0.0.1:{free_port()}", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    shown = json.loads(done.stdout)
    assert (shown["status"], shown["signals"], shown["profile"]) == ("unavailable", {}, None)
    assert shown["prompt"] == ""
