"""State of a user: consent, pins, activity and preferences, and the effect of each event."""

from functools import cached_property

from state.events.observation import Kind, Observation
from state.user import absence
from state.user.bounds import Bounds, bounds_of
from state.user.control import observe_control
from state.user.interaction import observe_interaction
from state.user.parts import Observed, UserParts
from state.user.rules import Rules


class UserState(UserParts):
    """State of the present user of a table. Only `observe` and `retire` change the state."""

    def observe(self, o: Observation, rules: Rules) -> Observed:
        """Take in an event, and return its result; `take_writes` has the signals and gates."""
        if o.kind != Kind.INTERACTION:
            return observe_control(self, o, rules)
        if o.at_ms - self.newest_ms > rules.idle_ms and absence.come_back(self, o.at_ms, rules):
            return observe_interaction(self, o, rules)._replace(wipes=True)
        return observe_interaction(self, o, rules)

    @cached_property
    def bounds(self) -> Bounds:
        """Bounds of the numbers of a row."""
        return bounds_of(self.catalogue)

    def retire(self, wipes_before_ms: int) -> bool:
        """End the learned state of a certainly absent user, and return whether a part must be kept."""
        return absence.retire(self, wipes_before_ms)
