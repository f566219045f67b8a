"""The comparison finds planted deviations of the rules within few streams."""

from random import Random
from types import ModuleType
from typing import Any

import pytest

from state.events.observation import NONE
from state.events.records import CLOCK_TOLERANCE_MS
from tests.reference import (
    activity,
    beliefs,
    consent,
    contexts,
    control,
    decisions,
    emission,
    evidence,
    logged,
    product,
    recent,
    training,
    user,
)
from tests.reference.comparison import difference, in_memory, shortest
from tests.reference.streams import random_stream

OPEN = contexts.ContextEffects._open
OBSERVE_TURN = recent.Recent.observe_turn

MOST = 100
"""Streams within which a deviation is found."""


def ignored(*_: object) -> None:
    """Do nothing, in place of a method."""


def is_never_set(*_: object) -> bool:
    return False


def trained(
    self: recent.Recent, id_hash: int, weight: float, is_disliked: bool, _: bool
) -> tuple[recent.Turn | None, bool, bool, float]:
    """Take a sensitive turn for any other."""
    return OBSERVE_TURN(self, id_hash, weight, is_disliked, False)


def heaviest(self: contexts.ContextEffects, key: int, _kept: object) -> int:
    """Give a new context the row of most weight."""
    row = self.weights.index(max(self.weights))
    self.begin(row, key)
    return row


def put_again(self: consent.Pins, facet: int, pin: tuple[int, int]) -> None:
    """Keep the value of a pin that is removed."""
    slot, at_ms = pin
    dict.__setitem__(self, facet, (self[facet][0] if slot == NONE and facet in self else slot, at_ms))


DEVIATIONS: dict[str, tuple[ModuleType | type, str, Any]] = {
    "means forget faster": (training, "KEPT", 0.994),
    "a mean has more bits": (training, "f32", lambda x: x),
    "the bias starts surer": (beliefs, "BIAS_VARIANCE", 0.2999),
    "a turn is not used up": (recent.Turn, "use", ignored),
    "a turn is forgotten early": (recent, "RECENT_TURNS", 15),
    "an event is forgotten early": (recent, "RECENT_EVENTS", 63),
    "a control event is forgotten early": (consent, "RECENT_CONTROLS", 15),
    "a removed pin stays": (consent.Pins, "__setitem__", put_again),
    "a pin is not regarded in logged choices": (consent.Pins, "is_set", is_never_set),
    "a session lasts a millisecond longer": (activity, "SESSION_GAP_MS", activity.SESSION_GAP_MS + 1),
    "a session is kept a millisecond longer": (activity, "SESSION_KEPT_MS", activity.SESSION_KEPT_MS + 1),
    "feedback opens a millisecond later": (logged, "SESSION_GAP_MS", activity.SESSION_GAP_MS + 1),
    "a pane takes one turn less": (activity, "MAX_PER_PANE", 4),
    "a sensitive turn trains": (recent.Recent, "observe_turn", trained),
    "a topic that became sensitive stays": (activity.Windows, "drop", ignored),
    "contexts of sensitive topics stay": (contexts.ContextEffects, "drop", lambda *_: []),
    "the heaviest context makes room": (contexts.ContextEffects, "_open", heaviest),
    "a context takes the row of the answer's other one": (
        contexts.ContextEffects,
        "_open",
        lambda self, key, _: OPEN(self, key, ()),
    ),
    "contexts fade faster": (contexts, "FADED", 0.89),
    "the mood lasts a second longer": (contexts, "MOOD_DECAY_S", contexts.MOOD_DECAY_S + 1),
    "the log is a piece shorter": (evidence, "MAX_PIECES", 6),
    "evidence fades faster": (evidence, "KEPT_PER_MILLE", 994),
    "a moved confidence is emitted later": (emission, "MOVED", 0.051),
    "moved evidence is emitted later": (emission, "LEAST_MOVE", 160),
    "a value that left is not replaced": (emission, "DUE_AT_ONCE_MS", 0),
    "a hint begins later": (decisions, "HINT_FROM", 0.601),
    "a shift begins later": (decisions, "STEPS", [step + 0.01 for step in decisions.STEPS]),
    "grace lasts a millisecond longer": (user, "GRACE_MS", user.GRACE_MS + 1),
    "a clock may be a millisecond further ahead": (control, "CLOCK_TOLERANCE_MS", CLOCK_TOLERANCE_MS + 1),
}
"""Deviation → module or class, name and value."""


@pytest.mark.parametrize("deviation", DEVIATIONS)
def test_deviation_is_found(deviation: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The reference with the deviation differs from the product."""
    owner, name, value = DEVIATIONS[deviation]
    monkeypatch.setattr(owner, name, value)
    assert any(difference(random_stream(Random(seed)), in_memory) for seed in range(MOST))


def test_deviation_is_found_on_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """The comparison with a store sees the same."""
    monkeypatch.setattr(recent.Turn, "use", ignored)
    assert difference(random_stream(Random(1)), product.stored)


def test_error_of_the_product_is_a_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    """A stream that the product cannot process is reported as well."""
    monkeypatch.delattr(product, "take_writes")
    assert "AttributeError" in difference(random_stream(Random(1)), in_memory)


def test_stream_is_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    """To the catalogue and the few events that the deviation needs."""
    monkeypatch.setattr(consent.Pins, "__setitem__", put_again)
    stream = next(stream for seed in range(MOST) if difference(stream := random_stream(Random(seed)), in_memory))
    assert len(shortest(stream, in_memory).steps) <= 4
