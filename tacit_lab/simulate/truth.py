"""Truth of a simulation: the best style of each user, and the chance of a like of any style."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec

from state.durable import replacing
from state.errors import SinkError, SourceError
from state.learning.probit import normal_cdf
from tacit_lab.simulate.tastes import Style, Utilities, best, score
from tacit_lab.simulate.users import SimulatedUser


class Chances(NamedTuple):
    """Mean chance of a like at the end of the history, over all users, of four ways to choose a style."""

    oracle: float
    """The best style of each user."""
    population: float
    """The style that is best on average, for every user."""
    random: float
    """A random style."""
    chosen: float
    """The style that the caller chose for each user."""


class _World(msgspec.Struct, frozen=True):
    """First line of a truth file; each other line is a user."""

    topic_effects: dict[str, Utilities]
    population_default: dict[str, str]


class Truth:
    """Users by user id, and conclusions from their tastes. "Now" is the end of the history."""

    def __init__(self, users: Mapping[str, SimulatedUser], topic_effects: Mapping[str, Utilities]) -> None:
        self.users = users
        self._topic_effects = topic_effects

    def preferred(self, user_id: str, facet: str) -> str:
        """Return the value that a user likes best now, over the user's topics."""
        return self.best(user_id)[facet]

    def best(self, user_id: str) -> dict[str, str]:
        """Return the best value of each facet for a user now, averaged over the user's topics."""
        user = self.users[user_id]
        return best(self._over_topics(user, user.after))

    def prefers(self, user_id: str, facet: str, value: str, other: str) -> bool:
        """Return whether a user likes a value better than another one now, averaged over the user's topics."""
        user = self.users[user_id]
        utilities = self._over_topics(user, user.after)[facet]
        return utilities[value] > utilities[other]

    @cached_property
    def population_default(self) -> dict[str, str]:
        """Best value of each facet now, averaged over all users."""
        total: Utilities = {}
        for user in self.users.values():
            for facet, values in self._over_topics(user, user.after).items():
                sums = total.setdefault(facet, dict.fromkeys(values, 0.0))
                for value, utility in values.items():
                    sums[value] += utility
        return best(total)

    def best_at(self, user_id: str, at_ms: int, topic: str | None) -> dict[str, str]:
        """Return the best value of each facet for a user at a time on a topic."""
        user = self.users[user_id]
        return best(user.utilities(at_ms, self._effects(user, topic)))

    def changed(self, user_id: str) -> dict[str, tuple[str, str]]:
        """Return facet → best value before and after the change of taste, for each facet with two different values."""
        user = self.users[user_id]
        before, after = (best(self._over_topics(user, taste)) for taste in (user.before, user.after))
        return {facet: (before[facet], after[facet]) for facet in before if before[facet] != after[facet]}

    def chance_at(self, user_id: str, at_ms: int, topic: str | None, served: Style) -> float:
        """Return the chance, 0–1, that a user likes an answer at a time on a topic.

        A facet that is absent in `served` counts as served at random.
        """
        user = self.users[user_id]
        return user.chance(user.utilities(at_ms, self._effects(user, topic)), served)

    def chance_of_like(self, user_id: str, style: Style) -> float:
        """Return the chance, 0–1, that a user likes an answer in a style now, over the user's topics.

        A facet that is absent in `style` counts as served at random.
        """
        user = self.users[user_id]
        return self._chance(user, user.after, style)

    def chances(self, choose: Callable[[str], Style], *, seed: int = 0) -> Chances:
        """Compare `choose`, a function from user id to style, with the oracle, the population's default and chance."""
        random = Random(seed)
        sums = [0.0] * len(Chances._fields)
        for user_id, user in self.users.items():
            drawn = {facet: random.choice(list(values)) for facet, values in user.after.items()}
            for index, choice in enumerate((self.best(user_id), self.population_default, drawn, choose(user_id))):
                sums[index] += self._chance(user, user.after, choice)
        return Chances(*(total / len(self.users) for total in sums))

    def write(self, path: Path) -> None:
        """Write the truth as JSON lines (`lines`); the file appears when it is complete.

        Raises:
            SinkError: the file cannot be written.
        """
        try:
            with replacing(path) as file:
                file.writelines(line + b"\n" for line in self.lines())
        except OSError as error:
            raise SinkError(
                f"{path} cannot be written: {error.strerror}; make room, make the folder writable, or give another path"
            ) from error

    def lines(self) -> Iterator[bytes]:
        """Yield the lines of a truth file: the world, then a user per line.

        The line of a user also has, before and after the change of taste, the `best` values, and the chance of a
        `like` by facet and value while all other facets have their best value.
        """
        yield msgspec.json.encode(_World(dict(self._topic_effects), self.population_default))
        for user in self.users.values():
            derived = {
                "best_before": best(self._over_topics(user, user.before)),
                "best": best(self._over_topics(user, user.after)),
                "like_before": self._likes(user, user.before),
                "like": self._likes(user, user.after),
            }
            yield msgspec.json.encode(msgspec.to_builtins(user) | derived)

    @classmethod
    def load(cls, path: Path) -> "Truth":
        """Read a truth file.

        Raises:
            SourceError: the file is unreadable or of another kind.
        """
        try:
            first, *lines = path.read_bytes().splitlines()
            world = msgspec.json.decode(first, type=_World)
            users = [msgspec.json.decode(line, type=SimulatedUser) for line in lines]
        except (OSError, ValueError, msgspec.DecodeError) as error:
            raise SourceError(f"{path}: is no truth file: {error}; name one that `tacit simulate` wrote") from error
        return cls({user.user_id: user for user in users}, world.topic_effects)

    def _chance(self, user: SimulatedUser, utilities: Utilities, style: Style) -> float:
        return sum(
            share * normal_cdf(user.bias + score(utilities, style) + score(effects, style))
            for share, effects in self._topics(user)
        )

    def _likes(self, user: SimulatedUser, utilities: Utilities) -> Utilities:
        choice = best(self._over_topics(user, utilities))
        return {
            facet: {value: round(self._chance(user, utilities, choice | {facet: value}), 4) for value in values}
            for facet, values in utilities.items()
        }

    def _over_topics(self, user: SimulatedUser, utilities: Utilities) -> Utilities:
        """Add the mean effects of the user's topics to utilities."""
        topics = self._topics(user)
        return {
            facet: {
                value: utility + sum(share * effects.get(facet, {}).get(value, 0.0) for share, effects in topics)
                for value, utility in values.items()
            }
            for facet, values in utilities.items()
        }

    def _topics(self, user: SimulatedUser) -> list[tuple[float, Utilities]]:
        """Return share and effects of each topic; a catalogue without topics has one topic without effects."""
        return [(share, self._effects(user, topic)) for topic, share in user.topics.items()] or [(1.0, {})]

    def _effects(self, user: SimulatedUser, topic: str | None) -> Utilities:
        return {} if topic is None else user.effects_on(topic, self._topic_effects[topic])
