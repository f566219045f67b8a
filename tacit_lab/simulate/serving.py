"""Closed loops: what is served may depend on all that arrived before."""

from collections.abc import Callable
from typing import NamedTuple

from tacit.reader.adaptation import Choice
from tacit_lab.simulate.truth import Truth


class Asked(NamedTuple):
    """A turn for which a style is wanted."""

    user_id: str
    unit: str
    """The conversation's id; a visit is one."""
    at_ms: int
    topic: str | None


Serve = Callable[[Asked], Choice]
"""Chooses the style of a turn; a facet that it leaves out is served as if drawn at random."""


class Watched(NamedTuple):
    """A turn of a closed loop."""

    asked: Asked
    chance: float
    """How likely the user was to like what was really served, 0–1."""


class Watch:
    """A way to serve that notes how good each answer was, in the order in which they were served."""

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
