"""state/row/layout: places of the fields in a row."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from state.row.layout import FIELDS, HEADER, VERSION, Sizes, layout_of, sizes_in, sizes_of
from state.row.row import Row
from tests.support.factories import CATALOGUE

SIZES = st.builds(Sizes, st.integers(1, 300), st.integers(1, 120), st.integers(1, 300))


@given(SIZES)
def test_fields_are_aligned(sizes: Sizes) -> None:
    """Each number of a table starts at a multiple of its size, in the first row and in all others."""
    layout = layout_of(sizes)
    assert layout.size % 8 == 0
    for field in FIELDS:
        offset, _ = layout.offsets[field.name]
        assert offset % int(field.code[1]) == 0


@given(SIZES)
def test_fields_do_not_overlap(sizes: Sizes) -> None:
    """Each starts where the one before ends; at most 7 bytes at the end of a row have no field."""
    layout = layout_of(sizes)
    places = sorted(layout.offsets.values())
    assert len(places) == len(FIELDS)
    assert places[0][0] == 0
    assert all(start + size == following for (start, size), (following, _) in pairwise(places))
    assert 0 <= layout.size - sum(places[-1]) < 8


@given(SIZES)
def test_header_leads(sizes: Sizes) -> None:
    """Scans read it without the rest of the layout."""
    layout = layout_of(sizes)
    row = Row(layout)
    held = row.array[0]
    held["version"], held["parts"], held["newest_ms"] = VERSION, 3, -5
    held["slots"], held["facets"], held["terms"] = sizes
    assert HEADER.unpack_from(row.read()) == (VERSION, 3, *sizes, -5)
    assert sizes_in(row.read()) == sizes


@given(SIZES)
def test_masks_have_a_bit_per_number(sizes: Sizes) -> None:
    """No bit is missing, and no byte too many."""
    array = Row(layout_of(sizes)).array
    for name, count in (("piece_slots", sizes.slots), ("piece_facets", sizes.facets)):
        _, _, size = array[name].shape
        assert 8 * (size - 1) < count <= 8 * size


def test_masks_of_a_snapshot_follow_each_other() -> None:
    """`FeedbackLog.snapshot` reads both in one piece."""
    offsets = layout_of(sizes_of(CATALOGUE)).offsets
    assert sum(offsets["piece_facets"]) == offsets["piece_slots"][0]


def test_names_are_unique() -> None:
    """A field has one place."""
    assert len({field.name for field in FIELDS}) == len(FIELDS)


def test_sizes_are_those_of_the_catalogue() -> None:
    """Idle names count."""
    assert sizes_of(CATALOGUE)[:2] == CATALOGUE.sizes[:2]
    assert sizes_of(CATALOGUE).terms == 1 + max(term for term, _ in CATALOGUE.context_terms)


def test_layouts_of_the_same_sizes_are_one() -> None:
    """A layout is made once."""
    assert layout_of(Sizes(16, 5, 10)) is layout_of(Sizes(16, 5, 10))


def test_sizes_of_too_few_bytes_are_an_error() -> None:
    """Damaged bytes are never taken for a row."""
    with pytest.raises(Exception, match="requires a buffer"):
        sizes_in(b"\x06")
