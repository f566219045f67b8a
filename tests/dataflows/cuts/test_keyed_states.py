"""States of keyed steps in a recovery store: read and replaced as a whole, next to the positions of the source."""

from pathlib import Path

import pytest
from bytewax.recovery import init_db_dir

from dataflows.cuts.keyed_states import KeyedStates, read_states, replace_states
from dataflows.graph import ADAPT_STEP, TRAIN_STEP
from dataflows.recovery_store import is_consistent, source_positions
from dataflows.rotation.tokens import replace_tokens
from state.errors import StateError
from tests.dataflows.test_recovery_store import resumed


@pytest.fixture
def store(tmp_path: Path) -> Path:
    init_db_dir(tmp_path, 3)
    return tmp_path


def states(shards: int, name: str, population: bytes | None) -> KeyedStates:
    made = KeyedStates()
    made.set_shards(ADAPT_STEP, {shard: f"{name}{shard}".encode() for shard in range(shards)})
    made.set_shards(TRAIN_STEP, {shards - 1: name.encode()})
    made.population = population
    return made


@pytest.mark.parametrize(("first", "second"), [(16, 4), (4, 16)])
def test_replaced_states_are_those_that_are_read(first: int, second: int, store: Path) -> None:
    """States without a successor are gone, and a second read changes nothing."""
    positions = {str(number): number for number in range(8)}
    resumed(store, positions)
    committed = source_positions(store)
    for made in (states(first, "a", b"population"), states(second, "b", None)):
        replace_states(store, made)
        for _ in range(2):
            assert read_states(store).by_step == made.by_step
        assert is_consistent(store)
        assert source_positions(store) == committed
    assert resumed(store, positions) == positions


def test_states_of_a_run_are_read_by_shard(store: Path) -> None:
    replace_tokens(store, {3: b"token"})
    found = read_states(store)
    assert (found.of_shards(ADAPT_STEP), found.of_shards(TRAIN_STEP), found.population) == ({3: b"token"}, {}, None)


def test_damaged_store_is_a_state_error(store: Path) -> None:
    replace_states(store, states(4, "a", None))
    (store / "part-1.sqlite3").write_bytes(b"garbage" * 1000)
    with pytest.raises(StateError, match="the recovery store cannot be read"):
        read_states(store)
