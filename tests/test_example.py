"""state/example: a judgement comes out of the exchange as it went in, and small."""

from hypothesis import given
from hypothesis import strategies as st

from state.example import Acted, Example, Wish, pack_example, unpack_example
from state.observation import NONE
from tests.making import CATALOGUE, slots

SLOTS = st.integers(0, 64 * 32 - 1)
NUMBERS = st.floats(-100, 100, width=32)
RATES = st.floats(0, 1, width=32)
FACETS = st.integers(0, 63)
EXAMPLES = st.builds(
    Example,
    user=st.binary(min_size=16, max_size=16),
    at_ms=st.integers(0, 9_999_999_999_999),
    topic=st.integers(NONE, 4095),
    surface=st.integers(NONE, 255),
    item=st.integers(0, 2**32 - 1),
    liked=st.booleans(),
    weight=RATES,
    judged=st.integers(0, 255),
    p=RATES,
    slots=st.lists(SLOTS, max_size=255),
    bias=NUMBERS,
    variance=st.floats(0, 100, width=32),
    shares=st.dictionaries(FACETS, NUMBERS, max_size=64),
    only=st.lists(FACETS, max_size=64),
    wishes=st.lists(st.builds(Wish, SLOTS, SLOTS, NUMBERS, NUMBERS), max_size=64).map(tuple),
    acted=st.lists(st.builds(Acted, FACETS, st.booleans(), st.booleans(), RATES), max_size=64).map(tuple),
)


@given(EXAMPLES)
def test_unpack_returns_what_was_packed(e: Example) -> None:
    """Up to the limits of a large catalogue; shares in their order."""
    twin = unpack_example(pack_example(e))
    assert twin._replace(slots=list(twin.slots), only=list(twin.only)) == e
    assert list(twin.shares) == list(e.shares)


@given(EXAMPLES)
def test_unpacked_example_packs_to_the_same_bytes(e: Example) -> None:
    """So it does not matter how often one was handed on."""
    assert pack_example(unpack_example(pack_example(e))) == pack_example(e)


@given(EXAMPLES)
def test_own_part_is_the_bias_and_the_shares(e: Example) -> None:
    """As the prediction had it."""
    assert e.own == (e.bias + sum(e.shares.values()), e.variance, e.bias, e.shares)


def test_usual_example_is_small() -> None:
    """An answer with five facets."""
    served = slots({name: facet.values[0] for name, facet in CATALOGUE.facets.items()})
    shares = dict.fromkeys(range(5), 0.1)
    e = Example(bytes(16), 1_795_305_600_000, 3, 1, 7, True, 1.0, 3, 0.6, served, 0.1, 0.2, shares)
    assert len(pack_example(e)) <= 100
