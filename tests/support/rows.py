"""Rows of users for tests of one component."""

from state.catalogue.numbered import NumberedCatalogue
from state.row.layout import layout_of, sizes_of
from state.row.row import Row
from tests.support.factories import CATALOGUE


def make_row(room: int = 1, catalogue: NumberedCatalogue = CATALOGUE) -> Row:
    """Return a table of empty rows."""
    return Row(layout_of(sizes_of(catalogue)), room)


def is_empty(row: Row) -> bool:
    """Return whether all fields of the present row are 0."""
    return not any(row.read())
