"""What a person sees of an adaptation: its status in words, what is known and why, and the prompt."""

import json
from typing import Any, get_args

import pytest
from msgspec.structs import replace
from rich.console import Console

from state.catalogue.numbered import NumberedCatalogue
from tacit.contract.signals import Signal
from tacit.reader.adaptation import Adaptation, Status
from tacit_cli.views.adaptation_panel import adaptation_as_dict, adaptation_panel
from tests.support.commands import tacit
from tests.support.ports import free_port
from tests.support.sample_signals import NOW_MS, profile, signal

LEARNED = signal("concise", NOW_MS)
PINNED = signal("formal", NOW_MS, source="user")

EXPECTED = {
    "fresh": "status  fresh",
    "aged": "status  aged: nothing heard for half the usual time to live",
    "absent": "status  absent: nothing is known, defaults hold",
    "opted_out": "status  opted out: defaults hold",
    "unavailable": "status  Redis did not answer, or refused (tacit check says why): defaults hold",
    "unknown_schema": "status  written by another version: defaults hold",
}


def _adaptation(status: Status = "fresh", **signals: Signal) -> Adaptation:
    return Adaptation(status, signals, profile(NOW_MS) if status == "fresh" else None, {}, NumberedCatalogue.load())


def _text(adaptation: Adaptation, title: str = "ada", **options: Any) -> str:
    console = Console(width=120, highlight=False, markup=False, emoji=False)
    with console.capture() as capture:
        console.print(adaptation_panel(adaptation, title, **options))
    return capture.get()


@pytest.mark.parametrize("status", get_args(Status))
def test_every_status_is_said_in_words(status: Status) -> None:
    """And whatever it is, there is a prompt, from defaults if from nothing else."""
    text = _text(_adaptation(status))
    assert EXPECTED[status] in text
    assert "prompt  Give answers of medium length." in text


def test_signal_is_shown_with_its_reasons() -> None:
    """Value, confidence, tier and the feedback that weighs most; a pin has no confidence, and needs no reason."""
    text = _text(_adaptation(length=LEARNED, tone=PINNED))
    assert f"{LEARNED.value}" in text
    assert f"{LEARNED.confidence:.2f}" in text
    assert all(f"{kind} ×{number}" in text for kind, number in LEARNED.why)
    (pinned,) = [line for line in text.splitlines() if line.startswith("│ tone")]
    assert pinned.split()[2:] == [PINNED.value, "–", "apply", "set", "by", "the", "person", "│"]


def test_change_of_taste_is_told() -> None:
    """It explains why a tier fell."""
    text = _text(_adaptation(length=replace(LEARNED, drift_at=NOW_MS)))
    assert "taste changed" in " ".join(text.replace("│", "").split())


def test_tier_below_apply_has_its_limits() -> None:
    """In the table and for machines; a pin has none."""
    unsure = replace(LEARNED, tier="hint", confidence=0.7)
    adaptation = _adaptation(length=unsure, tone=PINNED)
    assert "too little evidence" in _text(adaptation)
    assert adaptation_as_dict(adaptation)["limited_by"] == {"length": ["too_little_evidence"], "tone": []}


def test_truth_stands_beside_what_was_learned_of_a_simulated_person() -> None:
    """Only where there is one."""
    assert "in truth" not in _text(_adaptation(length=LEARNED))
    assert "in truth" in _text(_adaptation(length=LEARNED), truth={"length": "detailed"})


def test_user_id_is_shown_as_it_is() -> None:
    """It is whatever the producer says, and is no markup."""
    assert "[bold]:smile:[/bold]" in _text(_adaptation(), "[bold]:smile:[/bold]")


def test_machines_get_all_of_it() -> None:
    """As plain values, with a choice made."""
    shown = json.loads(json.dumps(adaptation_as_dict(_adaptation(length=LEARNED, tone=PINNED))))
    assert shown["status"] == "fresh"
    assert shown["signals"]["length"]["v"] == LEARNED.v
    assert shown["signals"]["tone"]["source"] == "user"
    assert shown["profile"]["activity"].keys() == {"1h", "24h", "7d"}
    assert shown["choice"]["values"]["tone"] == PINNED.value
    assert {followed["facet"] for followed in shown["choice"]["acted_on"]} == shown["choice"]["values"].keys()
    assert shown["prompt"]


def test_redis_that_is_away_means_defaults_and_status_1() -> None:
    """Copilot would go on with defaults; whoever asks here wants to know."""
    done = tacit("show", "ada", "--redis", f"redis://127.0.0.1:{free_port()}", "--json")
    assert (done.returncode, done.stderr) == (1, "")
    shown = json.loads(done.stdout)
    assert (shown["status"], shown["signals"], shown["profile"]) == ("unavailable", {}, None)
    assert shown["prompt"].startswith("Give answers of medium length.")
