"""state/learning/example: examples round-trip, are small, and have no id in clear."""

from math import fsum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.catalogue.numbered import NumberedCatalogue
from state.events.observation import NONE, Observation
from state.learning.example import DirectedFeedback, Example, Logged, pack_example, unpack_example
from state.user.rules import Rules
from state.user.user_state import UserState
from tests.support.factories import CATALOGUE, FULL_EVENT, Served, make_observation, slots
from tests.support.parser import accepted

SLOTS = st.integers(0, 64 * 32 - 1)
NUMBERS = st.floats(-100, 100)
RATES = st.floats(0, 1)
FACETS = st.integers(0, 63)
LOGGED = st.builds(
    Logged,
    st.lists(st.tuples(SLOTS, RATES, SLOTS | st.just(NONE)), max_size=64),
    st.lists(SLOTS, max_size=64),
    st.binary(max_size=128),
    st.binary(max_size=256),
    st.booleans(),
)
EXAMPLES = st.builds(
    Example,
    user=st.binary(min_size=16, max_size=16),
    at_ms=st.integers(0, 9_999_999_999_999),
    topic=st.integers(NONE, 4095),
    surface=st.integers(NONE, 255),
    item=st.integers(0, 2**32 - 1),
    liked=st.booleans(),
    weight=RATES,
    feedback_count=st.integers(0, 255),
    p=RATES,
    slots=st.lists(SLOTS, max_size=255),
    bias=NUMBERS,
    variance=st.floats(0, 100),
    shares=st.dictionaries(FACETS, NUMBERS, max_size=64),
    only=st.lists(FACETS, max_size=64),
    directed=st.lists(st.builds(DirectedFeedback, SLOTS, SLOTS, NUMBERS, NUMBERS), max_size=64),
    logged=st.none() | LOGGED,
)


@given(EXAMPLES)
def test_unpack_returns_what_was_packed(e: Example) -> None:
    """Holds up to the limits of a large catalogue; shares keep their order."""
    twin = unpack_example(pack_example(e))
    assert twin == e
    assert list(twin.shares) == list(e.shares)


@given(EXAMPLES)
def test_unpacked_example_packs_to_the_same_bytes(e: Example) -> None:
    """The number of exchanges has no effect."""
    assert pack_example(unpack_example(pack_example(e))) == pack_example(e)


@given(EXAMPLES)
def test_contribution_of_the_user_model_is_bias_and_shares(e: Example) -> None:
    """The prediction used the same numbers."""
    assert e.own == (e.bias + fsum(e.shares.values()), e.variance, e.bias, e.shares)


def test_usual_example_is_small() -> None:
    """An answer with five facets."""
    served = slots({name: facet.values[0] for name, facet in CATALOGUE.facets.items()})
    shares = dict.fromkeys(range(5), 0.1)
    e = Example(bytes(16), 1_795_305_600_000, 3, 1, 7, True, 1.0, 3, 0.6, served, 0.1, 0.2, shares)
    assert len(pack_example(e)) <= 150


def taught(observation: Observation, catalogue: NumberedCatalogue = CATALOGUE) -> Example:
    """Return the example of a user's first event."""
    state = UserState(catalogue)
    example = state.observe(observation, Rules(catalogue, teaches=True)).example
    assert example is not None
    return example


def test_packed_example_has_no_id_but_pseudonym_and_item_hash() -> None:
    """Neither ids in clear nor hashes of event and turn are packed."""
    observation = accepted(
        FULL_EVENT | {"user_id": "ada.lovelace", "event_id": "event-1815", "turn_id": "turn-1852", "item": "card:1843"}
    )
    packed = pack_example(taught(observation))
    for name in ("ada.lovelace", "event-1815", "turn-1852", "card:1843"):
        assert name.encode() not in packed
    for number in (observation.event, observation.turn):
        assert number.to_bytes(4, "little") not in packed
    assert packed.count(observation.user) == 1
    assert unpack_example(packed).item == observation.item > 0


@pytest.mark.parametrize("facets", [8, 9])
def test_all_values_of_a_large_catalogue_can_be_served_at_once(facets: int) -> None:
    """`facets` × 31 values are within the limits of catalogues and events."""
    values = ", ".join(f'"v{value}"' for value in range(31))
    tables = "".join(f'[facets.f{facet}]\ntitle="F"\nmultiple=true\nvalues=[{values}]\n' for facet in range(facets))
    catalogue = NumberedCatalogue.parse(
        f'schema = 1\n[consent]\ndefault = "granted"\n{tables}[feedback.up]\nlabel = true\n'
    )
    served: Served = {name: list(facet.values) for name, facet in catalogue.facets.items()}
    e = taught(make_observation(served=served, feedback="up", catalogue=catalogue), catalogue)
    assert list(unpack_example(pack_example(e)).slots) == list(range(31 * facets))
