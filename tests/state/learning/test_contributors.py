"""Set of contributors, compared with a set."""

from hypothesis import given
from hypothesis import strategies as st

from state.learning.contributors import BITMAP_POSITIONS, EXACT, Contributors, bitmap_bytes

STEPS = st.lists(st.tuples(st.booleans(), st.integers(0, 0xFFFF)), max_size=200)


@given(STEPS)
def test_set_is_exact_up_to_its_limit_and_folded_above(steps: list[tuple[bool, int]]) -> None:
    """Above 32 users, positions that share twelve bits are one."""
    contributors, oracle, folds = Contributors(), set[int](), False
    for adds, position in steps:
        if adds and len(oracle) == EXACT and position not in oracle and not folds:
            folds, oracle = True, {one >> 4 for one in oracle}
        key = position >> 4 if folds else position
        if adds:
            assert contributors.add(position) is (key not in oracle)
            oracle.add(key)
        else:
            assert contributors.discard(position) is (key in oracle)
            oracle.discard(key)
        assert len(contributors) == len(oracle)
        twin = Contributors(contributors.pack())
        assert (len(twin), position in twin) == (len(oracle), key in oracle)


def test_size_is_bounded() -> None:
    """All positions together take 512 bytes."""
    contributors = Contributors()
    for position in range(0, 1 << 16, 3):
        contributors.add(position)
    assert len(contributors) == BITMAP_POSITIONS
    assert len(contributors.pack()) == 512


@given(st.lists(st.integers(0, 0xFFFF), max_size=200), st.sampled_from([1, 3, 16, 256]))
def test_smaller_set_of_a_shard_folds_more(positions: list[int], shards: int) -> None:
    """The list is never larger than the bitmap, and survives being packed."""
    size = bitmap_bytes(shards)
    contributors = Contributors(size=size)
    for position in positions:
        contributors.add(position)
        assert position in contributors
        assert len(contributors.pack()) <= max(size, 64)
    twin = Contributors(contributors.pack(), size)
    assert (len(twin), twin.pack()) == (len(contributors), contributors.pack())
    if len(positions) > 32:
        assert len(contributors) <= 8 * size
