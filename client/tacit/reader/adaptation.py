"""Adaptation of one user, and the choice of a style for one conversation."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b
from itertools import accumulate
from types import MappingProxyType
from typing import Literal, NamedTuple

from tacit.contract.catalogue import Catalogue, Facet
from tacit.contract.gates import UNKNOWN, Consents
from tacit.contract.policy import propensities
from tacit.contract.signals import Profile, Signal
from tacit.reader.choice import Choice, Followed, Policy, Strength
from tacit.reader.description import Description
from tacit.reader.preferred import Preferred, contexts_of, preferred, preferred_by_population

Status = Literal["fresh", "aged", "absent", "opted_out", "unavailable", "unknown_schema"]
"""Basis of an adaptation. Every status but `fresh` and `aged` means defaults only.

- `fresh`: the user's own signals, or pins alone.
- `aged`: the user's own signals, without an event for half the default time to live (15 days).
- `absent`: no signals and no pin, because the user is new, was forgotten, or the signals expired.
- `opted_out`: the user denies the use of signals, or the user's gate cannot be read; pins are left out, too.
- `unavailable`: Redis did not answer in time.
- `unknown_schema`: signals of another, unreadable version.
"""

_DRAW_BYTES = 6
_DRAWS = 2 ** (8 * _DRAW_BYTES)

_UNREAD = ("unavailable", "unknown_schema")
"""Status of an adaptation whose signals could not be read: nothing is tried."""


_NOT_ASKED: Mapping[str, str] = MappingProxyType({})

_Chosen = tuple[Followed, Strength]
"""Value of one facet in a choice."""


@dataclass(frozen=True, slots=True)
class Adaptation:
    """Signals of one user that are readable and in the catalogue, with the population's signals as defaults.

    Every text in signals, profile and defaults is a name of the catalogue, a version, or a constant of the contract.

    >>> adaptation = Adaptation("absent", {}, None, {}, Catalogue.load())
    >>> adaptation.choose(unit="conversation-1").values["tone"]
    'neutral'
    """

    status: Status
    signals: Mapping[str, Signal]
    """Facet → the user's own signal; a pin in place of a learned signal."""
    profile: Profile | None
    """Recent use of the assistant; counts of windows that have passed are zero."""
    defaults: Mapping[str, Signal]
    """Facet → the population's signal, for facets without a signal of the user."""
    _catalogue: Catalogue = field(repr=False)
    consent: Consents = UNKNOWN

    held_out: bool = False
    """Membership of the holdout (`tacit.contract.holdout`): choices have the catalogue's defaults."""
    decided: frozenset[str] = frozenset()
    """Facets with a pin event of the user, a removed pin included."""
    region: str | None = None
    """Region of the user; None for an adaptation that comes from no reader."""

    def choose(
        self, unit: str, *, topic: str | None = None, surface: str | None = None, explore: bool = True
    ) -> Choice:
        """Choose a value per facet for one answer of a conversation.

        A pin comes first, then the value that is believed best on the topic, on the surface, or on average. A share of
        the conversations gets another value, more of them where the best one is not sure. A hash of unit and facet
        draws these conversations. So the same unit gives the same choice in the same context, and a new topic within
        a conversation does not draw again.

        Args:
            unit: identifier that the choice stays the same for, usually the conversation's.
            topic: topic of the answer; None or a name that is not in the catalogue: none.
            surface: surface of the answer, likewise.
            explore: permission to try other values in this conversation; the user's consent is needed in any case.
        """
        policy = self._policy()
        proposed: tuple[Followed, ...] = ()
        if policy == "learned":
            chosen = list(self._chosen(unit, topic, surface, explore))
        else:
            chosen = list(self._withheld())
            if policy == "apprentice":
                proposed = tuple([followed for followed, _ in self._chosen(unit, topic, surface, explore)])
        return Choice(
            {followed["facet"]: followed["value"] for followed, _ in chosen},
            tuple([followed for followed, _ in chosen]),
            self._catalogue,
            policy,
            proposed,
            {followed["facet"]: strength for followed, strength in chosen},
            topic,
            surface,
            self.region,
        )

    def describe(
        self,
        unit: str,
        *,
        topic: str | None = None,
        surface: str | None = None,
        explore: bool = True,
        asked: Mapping[str, str] = _NOT_ASKED,
    ) -> Description:
        """Return the context that an assistant may reason with, and at most one question that is worth asking.

        Facets with a pin event are not asked about: the answer to a question is a pin, or the removal of a pin for "no
        preference". Until that event has reached Redis, and for a question without an answer, `asked` is the memory.

        Args:
            unit: as in `choose`.
            topic: as in `choose`.
            surface: as in `choose`.
            explore: as in `choose`.
            asked: facet → unit of the conversation in which the user was asked. A conversation has one question.
        """
        from tacit.reader.describing import describe  # imports statistics (3 ms), which choices do not need

        if self.status == "opted_out" or not self.consent.trains(self._catalogue.consent.default):
            return Description(self.consent, is_permitted=False)
        choice = self.choose(unit, topic=topic, surface=surface, explore=explore)
        may_ask = self.status not in _UNREAD and unit not in asked.values()
        unasked = self._catalogue.facets.keys() - self.decided - asked.keys() if may_ask else ()
        signals = {**self.defaults, **self.signals}
        contexts = contexts_of(topic, surface)
        return describe(self._catalogue, self.consent, self.profile, signals, choice, contexts, unasked)

    def _policy(self) -> Policy:
        if self.status == "opted_out":
            return "opted_out"
        if self._catalogue.mode == "apprentice":
            return "apprentice"
        return "holdout" if self.held_out else "learned"

    def _chosen(self, unit: str, topic: str | None, surface: str | None, explore: bool) -> Iterator[_Chosen]:
        contexts = contexts_of(topic, surface)
        unasked = self._catalogue.consent.default
        trains = self.consent.trains(unasked)
        tries = explore and self._catalogue.explore and self.status not in _UNREAD and self.consent.explores(unasked)
        for name, facet in self._catalogue.facets.items():
            best = self._preferred(name, facet, contexts)
            if best is None:
                continue
            followed: Followed = {"facet": name, "value": best.value, "version": best.version, "propensity": 1.0}
            value, strength = best.value, best.strength
            if tries and best.explore:
                tried = _tries(value, best.runner_up, facet.values, best.explore)
                draw, propensity = _draw(unit, name), tried.propensity
                if draw < tried.below:
                    _, value, propensity = next(entry for entry in tried.values if draw < entry[0])
                followed["value"], followed["propensity"] = value, propensity
                if best.runner_up is not None and tried.below:
                    followed["runner_up"] = best.runner_up
            if value != best.value or (strength == "default" and trains and value != facet.default):
                strength = "try"  # the answer has to follow the value, as the feedback is taken to be about it
            yield followed, strength

    def _preferred(self, name: str, facet: Facet, contexts: tuple[str, ...]) -> Preferred | None:
        if signal := self.signals.get(name):
            return preferred(facet, signal, contexts)
        if signal := self.defaults.get(name):
            return preferred_by_population(facet, signal, contexts)
        return None if facet.default is None else Preferred(facet.default, None, 0.0, None, "default")

    def _withheld(self) -> Iterator[_Chosen]:
        """Yield pins, and the catalogue's defaults of all other facets."""
        for name, facet in self._catalogue.facets.items():
            signal = self.signals.get(name)
            if signal is not None and signal.source == "user":
                yield {"facet": name, "value": signal.value, "version": signal.v, "propensity": 1.0}, "pin"
            elif facet.default is not None:
                yield {"facet": name, "value": facet.default, "version": None, "propensity": 1.0}, "default"


class _Tries(NamedTuple):
    """Values that are tried, for a comparison with a draw below `_DRAWS`."""

    below: int
    """Draws from here on get the preferred value."""
    propensity: float
    """Propensity of the preferred value."""
    values: tuple[tuple[int, str, float], ...]
    """End of the draws of each value, the value, and its propensity; ascending."""


@lru_cache(4096)  # the signals of a deployment have few different shares
def _tries(value: str, runner_up: str | None, values: tuple[str, ...], explore: float) -> _Tries:
    (_, greedy), *tried = propensities(value, runner_up, values, explore).items()
    ends = accumulate(int(propensity * _DRAWS) for _, propensity in tried)
    found = tuple([(end, other, propensity) for end, (other, propensity) in zip(ends, tried, strict=True)])
    return _Tries(found[-1][0] if found else 0, greedy, found)


def _draw(unit: str, facet: str) -> int:
    """Return a number below `_DRAWS`, the same in every process for the same unit and facet."""
    drawn = blake2b(f"{unit}\0{facet}".encode("utf-8", "surrogatepass"), digest_size=_DRAW_BYTES).digest()
    return int.from_bytes(drawn, "big")
