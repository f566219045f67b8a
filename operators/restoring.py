"""Restoration of a shard after Redis lost data: the present gates of all users, then their signals.

The shard has the newest state of its users, so no signal returns that a later "no" or forget has ended.
"""

from state.events.records import Restore
from state.learning.population_prior import Prior
from state.storage.shard_store import ShardStore
from state.user.full_write import gate_write, signals_write
from state.user.writes import Restored

GATES_AT_ONCE = 500
SIGNALS_AT_ONCE = 64
"""Users of one step: live events wait for one step of each shard."""


class Restoring:
    """Restoration of one shard, some users at a time, so that events pass between the steps.

    It begins when all partitions have passed on the same `Restore`. A later loss begins it again.

    Args:
        gates: users of a step that writes gates.
        signals: users of a step that writes signals.
    """

    def __init__(self, gates: int = GATES_AT_ONCE, signals: int = SIGNALS_AT_ONCE) -> None:
        self._gates = gates
        self._signals = signals
        self._mark = Restore(0, "", 0)
        self._partitions: set[str] = set()
        self._after = b""
        self._has_gates = False
        self.is_running = False
        """True while users are left."""

    def take(self, mark: Restore) -> None:
        """Take the mark of a partition; the last partition begins the restoration."""
        if mark.number > self._mark.number:
            self._mark, self._partitions, self.is_running = mark, set(), False
        if mark.partition not in self._partitions:
            self._partitions.add(mark.partition)
            if len(self._partitions) == mark.partitions:
                self._after, self._has_gates, self.is_running = b"", False, True

    def step(self, store: ShardStore, prior: Prior) -> Restored:
        """Return the writes of the next users."""
        has_gates, most = self._has_gates, self._signals if self._has_gates else self._gates
        write = signals_write if has_gates else gate_write
        found = [(user, write(user, state, prior)) for user, state in store.states_after(self._after, most)]
        if len(found) == most:
            self._after = found[-1][0]
        else:
            self._after, self._has_gates, self.is_running = b"", True, not has_gates
        writes = tuple(made for _, made in found if made is not None)
        return Restored(self._mark.number, self._mark.shard, writes, not self.is_running)


def restored_empty(mark: Restore) -> Restored:
    """Return the restoration of a shard without users."""
    return Restored(mark.number, mark.shard, (), is_last=True)
