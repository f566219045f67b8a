"""Contributors that a state folder has from an earlier version, for the training of all shards."""

import pickle

from dataflows.graph import LEARN_STEP
from dataflows.recovery_store import newest_state
from dataflows.state_folder import StateFolder
from operators.rounds import trainer_state
from state.learning.earlier_votes import NO_EARLIER, EarlierVotes
from state.learning.population_state import earlier_votes


def read_earlier_votes(folder: StateFolder | None, key: bytes) -> EarlierVotes:
    """Return the contributors in the newest state of the population that the recovery store has.

    That state may be newer than the committed one: then it has more contributors, and more users are refused.

    Raises:
        StateError: the store or the state is damaged.
        StorageError: the disk is full or fails.
    """
    found = newest_state(folder.recovery, LEARN_STEP) if folder else None
    if found is None:
        return NO_EARLIER
    # Bytewax pickles states; the store belongs to this deployment, and Bytewax itself reads it the same way.
    return earlier_votes(trainer_state(pickle.loads(found)), key)  # noqa: S301
