"""A shard of users, batch by batch."""

from collections.abc import Sequence
from typing import Any, NamedTuple, Protocol

from state.catalogue.numbered import NumberedCatalogue
from state.counters import Outcome
from state.events.observation import Observation
from state.user.rules import Rules
from tests.reference.user import Observed, Write

FORGET = b"f"
"""First byte of a packed forget of the population."""


class Rulebook(Protocol):
    """Rules of users' states: `tests.reference.model` or `tests.reference.product`."""

    def new_user(self, catalogue: NumberedCatalogue) -> Any:
        """Return the state of an unknown user."""

    def observe(self, state: Any, o: Observation, rules: Rules) -> Observed:
        """Take in an event."""

    def take_writes(self, state: Any, user: bytes, rules: Rules) -> list[Write]:
        """Return the writes that wait."""

    def reload(self, state: Any, catalogue: NumberedCatalogue) -> Any:
        """Return the state, saved and loaded under the same or a later catalogue."""

    def all_writes(self, state: Any, user: bytes, rules: Rules) -> list[Write]:
        """Return the gate and all signals of a user at rest."""

    def content(self, state: Any) -> dict[str, Any]:
        """Return all that the state holds, by name."""


class Batch(NamedTuple):
    """The results of a batch."""

    outcomes: list[str]
    """Outcomes and reasons of rejects by event."""
    wiped: list[bytes]
    """Users with a wipe, in the order of the events."""
    writes: list[Write]
    messages: list[bytes]
    """Packed examples and forgets for the population."""


class Shard:
    """The users of a shard in memory; a user who was saved is loaded with the next event, and then saved if changed."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook
        self._saved: dict[bytes, Any] = {}
        self._loaded: dict[bytes, Any] = {}

    def visible(self, batch: Batch) -> Batch:
        """Return the part of a batch's results that the shard shows: all of it."""
        return batch

    def _load(self, user: bytes, rules: Rules) -> Any:
        if user not in self._loaded:
            self._loaded[user] = self._rulebook.reload(self._saved[user], rules.catalogue)
        return self._loaded[user]

    def batch(self, observations: Sequence[Observation], rules: Rules) -> Batch:
        """Take in a batch; users whom no event changed are not kept."""
        found, touched = Batch([], [], [], []), dict[bytes, Any]()
        for o in observations:
            state = touched.get(o.user)
            if state is None:
                state = self._load(o.user, rules) if o.user in self._saved else self._rulebook.new_user(rules.catalogue)
            observed = self._rulebook.observe(state, o, rules)
            found.outcomes.append(observed.outcome)
            if observed.wipes:
                found.wiped.append(o.user)
                if rules.teaches:
                    found.messages.append(FORGET + o.user)
            if observed.changes and isinstance(observed.outcome, Outcome):
                touched[o.user] = state
                if observed.example is not None:
                    found.messages.append(observed.example)
        self._saved |= touched
        self._loaded |= touched
        for user, state in touched.items():
            found.writes.extend(self._rulebook.take_writes(state, user, rules))
        return found

    def save(self) -> None:
        """Save all users; from now on they are loaded, perhaps under a later catalogue."""
        self._loaded.clear()

    def content(self, rules: Rules) -> dict[bytes, Any]:
        """Return the contents of all users, and the writes for a Redis that lost data."""
        users = {user: self._load(user, rules) for user in self._saved}
        return {
            user: self._rulebook.content(state) | {"writes": self._rulebook.all_writes(state, user, rules)}
            for user, state in users.items()
        }
