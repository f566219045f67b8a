"""Closed loops: the style of a turn may depend on every earlier record."""

from collections.abc import Callable
from typing import NamedTuple

from tacit.reader.adaptation import Choice
from tacit_lab.simulate.truth import Truth


class Asked(NamedTuple):
    """A turn that needs a style."""

    user_id: str
    unit: str
    """Id of the conversation, which is one visit."""
    at_ms: int
    topic: str | None


Serve = Callable[[Asked], Choice]
"""Function that chooses the style of a turn; an absent facet counts as served at random."""


class Watched(NamedTuple):
    """A turn of a closed loop."""

    asked: Asked
    chance: float
    """Chance of a like of the served style, 0–1."""


class Watch:
    """Record of the turns of a closed loop, in order, each with its chance of a like."""

    def __init__(self, serve: Serve, truth: Truth) -> None:
        self._serve = serve
        self._truth = truth
        self.turns: list[Watched] = []

    def __call__(self, asked: Asked) -> Choice:
        """Serve a turn."""
        choice = self._serve(asked)
        chance = self._truth.chance_at(asked.user_id, asked.at_ms, asked.topic, choice.values)
        self.turns.append(Watched(asked, chance))
        return choice
