"""States of the keyed steps in a recovery store, read and replaced by Bytewax itself.

A dataflow with the same flow and steps, and with another source, resumes the states and leaves the positions of the
real source as they are. Each state gets an item with its own key, as Bytewax does not pass the key.
"""

import errno
import os
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path

from bytewax.operators import StatefulBatchLogic

from dataflows.graph import ADAPT_STEP, LEARN_STEP, POPULATION_KEY, TRAIN_STEP
from dataflows.recovery_store import Item, run_keyed_steps
from dataflows.state_folder import is_full
from state.errors import StateError
from state.storage.rocksdb import storage_error
from state.storage.shards import MAX_SHARDS, shard_key
from tacit.errors import TacitError

_SHARD_KEYS = {shard_key(shard): shard for shard in range(MAX_SHARDS)}
_KEYS = {
    ADAPT_STEP: list(_SHARD_KEYS),
    TRAIN_STEP: list(_SHARD_KEYS),
    LEARN_STEP: [POPULATION_KEY],
}
"""All keys that a step may have."""


class KeyedStates:
    """States of a run by step and key."""

    def __init__(self) -> None:
        self.by_step: dict[str, dict[str, bytes]] = {step: {} for step in _KEYS}

    def of_shards(self, step: str) -> dict[int, bytes]:
        """Return the states of a step by shard."""
        return {_SHARD_KEYS[key]: state for key, state in self.by_step[step].items()}

    def set_shards(self, step: str, states: Mapping[int, bytes]) -> None:
        """Replace all states of a step that has a key per shard."""
        self.by_step[step] = {shard_key(shard): state for shard, state in states.items()}

    @property
    def population(self) -> bytes | None:
        """State of the step with the population model; None before the first delta."""
        return self.by_step[LEARN_STEP].get(POPULATION_KEY)

    @population.setter
    def population(self, state: bytes | None) -> None:
        self.by_step[LEARN_STEP] = {} if state is None else {POPULATION_KEY: state}


def read_states(recovery: Path) -> KeyedStates:
    """Return the committed states.

    Raises:
        StateError: the store is damaged.
    """
    found = KeyedStates()
    items = {step: [(key, key.encode()) for key in keys] for step, keys in _KEYS.items()}
    _run(recovery, items, found)
    return found


def replace_states(recovery: Path, states: KeyedStates) -> None:
    """Commit these states, and no others; a store between its first and its last change is of no use.

    Raises:
        StateError: the store is damaged.
    """
    _run(recovery, {step: [(key, states.by_step[step].get(key)) for key in keys] for step, keys in _KEYS.items()}, None)


def _run(recovery: Path, items: Mapping[str, Sequence[Item]], found: KeyedStates | None) -> None:
    build = {step: partial(_Holder, None if found is None else found.by_step[step]) for step in items}
    try:
        run_keyed_steps(recovery, items, build)
    except (KeyboardInterrupt, SystemExit, TacitError):
        raise
    except BaseException as cause:  # a panic of Bytewax is not an Exception
        if is_full(recovery):
            raise storage_error(str(recovery), os.strerror(errno.ENOSPC)) from cause
        raise StateError(f"the recovery store cannot be read: {' '.join(str(cause).split())}") from cause


class _Holder(StatefulBatchLogic[bytes | None, bytes, bytes]):
    """State of a key, in place of the step's own logic: it is read into `found`, or replaced."""

    def __init__(self, found: dict[str, bytes] | None, state: bytes | None) -> None:
        self._found = found
        self._state = state

    def on_batch(self, values: list[bytes | None]) -> tuple[Iterable[bytes], bool]:
        (value,) = values
        if self._found is None:
            self._state = value
        elif self._state is not None and value is not None:
            self._found[value.decode()] = self._state
        return [], StatefulBatchLogic.DISCARD if self._state is None else StatefulBatchLogic.RETAIN

    def snapshot(self) -> bytes:
        assert self._state is not None  # noqa: S101  # a step without a state is discarded
        return self._state
