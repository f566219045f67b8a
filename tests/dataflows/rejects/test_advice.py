"""dataflows/rejects/advice: a text for every reason."""

import pytest

from dataflows.rejects.advice import ADVICE, CONTROL_STEP, UNWRITABLE, advice
from state.events.records import Reason


def test_every_reason_has_a_text() -> None:
    """A new reason needs one, too."""
    assert set(ADVICE) == {*Reason, UNWRITABLE}


@pytest.mark.parametrize("reason", ADVICE)
def test_text_explains_and_has_a_step(reason: str) -> None:
    found = advice(reason)
    assert found.meaning.endswith(".")
    assert found.step.endswith(".")
    assert found.meaning != found.step


def test_control_event_has_a_step_of_its_own_first() -> None:
    assert advice("invalid", "consent").step.startswith(CONTROL_STEP)
    assert advice("invalid").step in advice("invalid", "consent").step
