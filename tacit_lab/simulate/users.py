"""Simulated users: tastes, changes of taste, and the times of control events."""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from random import Random
from typing import Literal

import msgspec

from state.catalogue.numbered import NumberedCatalogue
from state.learning.probit import normal_cdf
from tacit_lab.simulate.scenario import DAY_MS, MINUTE_MS, Scenario
from tacit_lab.simulate.tastes import Style, Tastes, Utilities, best, score

_BIAS_MEAN, _BIAS_SD = -0.31, 0.6
_FAVOURITES = (0.6, 0.3, 0.1)
"""Shares of a user's topics, most frequent first."""
_LOCALES = ("en-US", "en-GB", "de-DE", "fr-FR", "es-ES")


class Pin(msgspec.Struct, frozen=True):
    """A pin of a facet, or its end (`value` None)."""

    at: int
    facet: str
    value: str | None


class SimulatedUser(msgspec.Struct, frozen=True, omit_defaults=True):
    """The truth about one user; times are epoch milliseconds."""

    user_id: str
    cohort: int
    joined_at: int
    locale: str
    surface: str | None
    """Most frequent surface."""
    topics: dict[str, float]
    """Topic → share; the user has no other topics."""
    bias: float
    change: Literal["none", "abrupt", "gradual"]
    change_at: int
    """Start of the change; without a change, the time of joining."""
    change_ms: int
    """Duration of the change."""
    before: Utilities
    after: Utilities
    consents: list[tuple[int, bool]]
    """Time of each consent event, and the consent given or withdrawn."""
    pins: list[Pin]
    forgets_at: int | None
    by_topic: dict[str, Utilities] = {}
    """Topic → effects on this user alone; empty for a user whose taste does not differ by topic."""

    def change_share(self, at_ms: int) -> float:
        """Return the share of the change that is complete at a time, 0–1."""
        if at_ms < self.change_at:
            return 0.0
        return min(1.0, (at_ms - self.change_at) / self.change_ms) if self.change_ms else 1.0

    def effects_on(self, topic: str, shared: Utilities) -> Utilities:
        """Return the effects of a topic on this user: those on all users, plus those on this user alone."""
        own = self.by_topic.get(topic)
        if own is None:
            return shared
        return {
            facet: {value: effect + own[facet][value] for value, effect in values.items()}
            for facet, values in shared.items()
        }

    def utilities(self, at_ms: int, effects: Utilities) -> Utilities:
        """Return the utilities at a time, on a topic with the given effects; `{}`: no effects."""
        share = self.change_share(at_ms)
        return {
            facet: {
                value: before + share * (self.after[facet][value] - before) + (effects[facet][value] if effects else 0)
                for value, before in values.items()
            }
            for facet, values in self.before.items()
        }

    def chance(self, utilities: Utilities, style: Style) -> float:
        """Return the chance of a like of an answer, 0–1."""
        return normal_cdf(self.bias + score(utilities, style))

    def wiped_at(self) -> int | None:
        """Return the time of the last wipe, by a forget or a withdrawn consent; None without a wipe."""
        wipes = [at for at, granted in self.consents if not granted]
        if self.forgets_at is not None:
            wipes.append(self.forgets_at)
        return max(wipes, default=None)

    def pinned(self, at_ms: int) -> dict[str, str]:
        """Return the pinned facets at a time; a forget removes all pins."""
        since = self.forgets_at if self.forgets_at is not None and self.forgets_at <= at_ms else 0
        values = {pin.facet: pin.value for pin in self.pins if since < pin.at <= at_ms}
        return {facet: value for facet, value in values.items() if value is not None}


class SimulatedUsers(Mapping[str, SimulatedUser]):
    """Users of a scenario; each access draws the user from a separate seed, behind a cache."""

    def __init__(self, scenario: Scenario, catalogue: NumberedCatalogue) -> None:
        self._scenario = scenario
        self._catalogue = catalogue
        self._tastes = Tastes(Random(f"{scenario.seed}/world"), catalogue)
        self.topic_effects = self._tastes.topic_effects
        self.user = lru_cache(maxsize=4096)(self._draw)

    def __len__(self) -> int:
        return self._scenario.users

    def __iter__(self) -> Iterator[str]:
        return (_user_id(number) for number in range(len(self)))

    def __getitem__(self, user_id: str) -> SimulatedUser:
        digits = user_id.removeprefix("user-")
        number = int(digits) if digits.isdecimal() else -1
        if not 0 <= number < len(self) or user_id != _user_id(number):
            raise KeyError(user_id)
        return self.user(number)

    def _draw(self, number: int) -> SimulatedUser:
        random = Random(f"{self._scenario.seed}/person/{number}")
        joined_at = self._joined_at(random)
        cohort, before = self._tastes.draw(random)
        change, change_at, change_ms = self._change(random, joined_at)
        after = before if change == "none" else self._tastes.changed(random, before)
        consents, forgets_at = self._control_times(random, joined_at)
        surfaces = self._catalogue.surfaces.values
        locale, surface = random.choice(_LOCALES), random.choice(surfaces) if surfaces else None
        topics = self._topics(random)
        return SimulatedUser(
            user_id=_user_id(number),
            cohort=cohort,
            joined_at=joined_at,
            locale=locale,
            surface=surface,
            topics=topics,
            bias=round(random.gauss(_BIAS_MEAN, _BIAS_SD), 3),
            change=change,
            change_at=change_at,
            change_ms=change_ms,
            before=before,
            after=after,
            consents=consents,
            pins=self._pins(random, joined_at, after),
            forgets_at=forgets_at,
            by_topic=self._by_topic(number, topics),
        )

    def _by_topic(self, number: int, topics: Mapping[str, float]) -> dict[str, Utilities]:
        """Return the effects of each of a user's topics on this user alone, from a seed of their own."""
        random = Random(f"{self._scenario.seed}/topical/{number}")
        if random.random() >= self._scenario.topical:
            return {}
        return {topic: self._tastes.on_topic(random) for topic in topics}

    def _joined_at(self, random: Random) -> int:
        """Return the time of joining: half of the users join in the first two days, and none in the last three."""
        days = self._scenario.days
        span = min(2.0, days - 3) if random.random() < 0.5 else days - 3
        return self._scenario.start_ms + int(random.random() * span * DAY_MS)

    def _change(self, random: Random, joined_at: int) -> tuple[Literal["none", "abrupt", "gradual"], int, int]:
        span = self._scenario.end_ms - joined_at
        kind, at = random.random(), joined_at + int(span * (0.3 + 0.4 * random.random()))
        if kind < self._scenario.abrupt:
            return "abrupt", at, 0
        if kind < self._scenario.abrupt + self._scenario.gradual:
            return "gradual", at, span // 4
        return "none", joined_at, 0

    def _topics(self, random: Random) -> dict[str, float]:
        topics = self._catalogue.topics.values
        favourites = random.sample(topics, min(len(_FAVOURITES), len(topics)))
        shares = _FAVOURITES[: len(favourites)]
        return {topic: round(share / sum(shares), 3) for topic, share in zip(favourites, shares, strict=True)}

    def _control_times(self, random: Random, joined_at: int) -> tuple[list[tuple[int, bool]], int | None]:
        """Return the consent events, and the time of the forget."""
        scenario = self._scenario
        never, out, again, forgets = (random.random() for _ in range(4))
        times = sorted(self._later(random, joined_at) for _ in range(2))
        forgets_at = self._later(random, joined_at) if forgets < scenario.forgets else None
        if never < scenario.never_consents:
            return [], forgets_at
        consents = [(joined_at, True)]
        if out < scenario.opts_out:
            consents.append((times[0], False))
        if out < scenario.opts_out and again < scenario.opts_in_again:
            consents.append((times[1], True))
        return consents, forgets_at

    def _pins(self, random: Random, joined_at: int, taste: Utilities) -> list[Pin]:
        pins, unpins = random.random(), random.random()
        if pins >= self._scenario.pins:
            return []
        facet = random.choice(self._catalogue.facet_names)
        pinned_at, unpinned_at = sorted(self._later(random, joined_at) for _ in range(2))
        pin = Pin(pinned_at, facet, best(taste)[facet])
        return [pin, Pin(unpinned_at, facet, None)] if unpins < self._scenario.unpins else [pin]

    def _later(self, random: Random, joined_at: int) -> int:
        """Return a random time after joining."""
        span = self._scenario.end_ms - joined_at - DAY_MS
        return joined_at + MINUTE_MS + int(random.random() * span)


def _user_id(number: int) -> str:
    return f"user-{number:06d}"
