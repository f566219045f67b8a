"""What is true of the simulated users: what they like best, and how well any choice for them would do."""

from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from pathlib import Path
from random import Random
from typing import NamedTuple

import msgspec

from state.durable import replacing
from state.errors import SourceError
from tacit_lab.simulate.tastes import Style, Utilities, best, probit, score
from tacit_lab.simulate.users import SimulatedUser


class Chances(NamedTuple):
    """The mean chance of a like, over all users, of four ways to choose a style at the end of the history."""

    oracle: float
    """All users gets what they like best."""
    population: float
    """All get what suits users best on average."""
    random: float
    chosen: float
    """All users gets what the caller chose for them."""


class _World(msgspec.Struct, frozen=True):
    """The first line of a truth file; each further line is a user."""

    topic_effects: dict[str, Utilities]
    population_default: dict[str, str]


class Truth:
    """The users by user id, and what follows from their tastes. "Now" is the end of the history."""

    def __init__(self, users: Mapping[str, SimulatedUser], topic_effects: Mapping[str, Utilities]) -> None:
        self.users = users
        self._topic_effects = topic_effects

    def preferred(self, user_id: str, facet: str) -> str:
        """Return the value that this user likes best now, over their topics."""
        return self.best(user_id)[facet]

    def best(self, user_id: str) -> dict[str, str]:
        """Return each facet's value of most utility to this user now, averaged over their topics."""
        user = self.users[user_id]
        return best(self._over_topics(user, user.after))

    @cached_property
    def population_default(self) -> dict[str, str]:
        """Each facet's one value that is of most utility now, averaged over all users."""
        total: Utilities = {}
        for user in self.users.values():
            for facet, values in self._over_topics(user, user.after).items():
                sums = total.setdefault(facet, dict.fromkeys(values, 0.0))
                for value, utility in values.items():
                    sums[value] += utility
        return best(total)

    def best_at(self, user_id: str, at_ms: int, topic: str | None) -> dict[str, str]:
        """Return each facet's value of most utility to this user at that time on that topic."""
        return best(self.users[user_id].utilities(at_ms, self._effects(topic)))

    def changed(self, user_id: str) -> dict[str, tuple[str, str]]:
        """Return the facets whose best value another taste has changed → the best value before and after it."""
        user = self.users[user_id]
        before, after = (best(self._over_topics(user, taste)) for taste in (user.before, user.after))
        return {facet: (before[facet], after[facet]) for facet in before if before[facet] != after[facet]}

    def chance_at(self, user_id: str, at_ms: int, topic: str | None, served: Style) -> float:
        """Return how likely this user likes an answer that is served so, 0–1, at that time on that topic.

        A facet that `served` leaves out counts as served at random.
        """
        user = self.users[user_id]
        return user.chance(user.utilities(at_ms, self._effects(topic)), served)

    def chance_of_like(self, user_id: str, style: Style) -> float:
        """Return how likely this user likes an answer in this style now, 0–1, over their topics.

        A facet that `style` leaves out counts as served at random.
        """
        user = self.users[user_id]
        return self._chance(user, user.after, style)

    def chances(self, choose: Callable[[str], Style], *, seed: int = 0) -> Chances:
        """Return how well `choose`, user id → style, does, next to the oracle, the population's default and chance."""
        random = Random(seed)
        sums = [0.0] * len(Chances._fields)
        for user_id, user in self.users.items():
            drawn = {facet: random.choice(list(values)) for facet, values in user.after.items()}
            for index, choice in enumerate((self.best(user_id), self.population_default, drawn, choose(user_id))):
                sums[index] += self._chance(user, user.after, choice)
        return Chances(*(total / len(self.users) for total in sums))

    def write(self, path: Path) -> None:
        """Write the truth as JSON lines: what holds for all, then a user per line."""
        with replacing(path) as file:
            file.writelines(line + b"\n" for line in self.lines())

    def lines(self) -> Iterator[bytes]:
        """Return the lines of a truth file.

        A user's line also states, before and after the change of taste, which values they like `best`, and their
        chance to `like` each value of a facet while all other facets are at their best.
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
            SourceError: it cannot be read, or is no truth file.
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
            share * probit(user.bias + score(utilities, style) + score(effects, style))
            for share, effects in self._topics(user)
        )

    def _likes(self, user: SimulatedUser, utilities: Utilities) -> Utilities:
        choice = best(self._over_topics(user, utilities))
        return {
            facet: {value: round(self._chance(user, utilities, choice | {facet: value}), 4) for value in values}
            for facet, values in utilities.items()
        }

    def _over_topics(self, user: SimulatedUser, utilities: Utilities) -> Utilities:
        """Return the utilities with the effects of this user's topics, averaged."""
        topics = self._topics(user)
        return {
            facet: {
                value: utility + sum(share * effects.get(facet, {}).get(value, 0.0) for share, effects in topics)
                for value, utility in values.items()
            }
            for facet, values in utilities.items()
        }

    def _topics(self, user: SimulatedUser) -> list[tuple[float, Utilities]]:
        """Return each topic's share and effects; a catalogue without topics is one topic without effects."""
        return [(share, self._topic_effects[topic]) for topic, share in user.topics.items()] or [(1.0, {})]

    def _effects(self, topic: str | None) -> Utilities:
        return {} if topic is None else self._topic_effects[topic]
