"""Closed loops: the style of a turn may depend on every earlier record."""

from collections.abc import Callable
from typing import NamedTuple

from tacit.reader.choice import Choice
from tacit_lab.simulate.truth import Truth


class TurnRequest(NamedTuple):
    """A turn that needs a style."""

    user_id: str
    unit: str
    """Id of the conversation, which is one visit."""
    at_ms: int
    topic: str | None
    surface: str | None


Serve = Callable[[TurnRequest], Choice]
"""Function that chooses the style of a turn; an absent facet counts as served at random."""


class ServedTurn(NamedTuple):
    """A turn of a closed loop."""

    request: TurnRequest
    chance: float
    """Chance of a like of the served style, 0–1."""


class ServeRecorder:
    """Record of the turns of a closed loop, in order, each with its chance of a like."""

    def __init__(self, serve: Serve, truth: Truth) -> None:
        self._serve = serve
        self._truth = truth
        self.turns: list[ServedTurn] = []

    def __call__(self, request: TurnRequest) -> Choice:
        """Serve a turn."""
        choice = self._serve(request)
        chance = self._truth.chance_at(request.user_id, request.at_ms, request.topic, choice.values)
        self.turns.append(ServedTurn(request, chance))
        return choice
