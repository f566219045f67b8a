"""state/row/row: the columns of a table of rows, compiled and uncompiled."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import state
from state.learning.feedback_log import FeedbackLog
from state.row.form import COMPILED
from state.row.layout import FIELDS, Field, Sizes, layout_of, sizes_of
from state.row.row import Row
from tests.support.factories import CATALOGUE

SOURCE = Path(str(state.__file__)).parent
LAYOUT = layout_of(sizes_of(CATALOGUE))
COLUMNS = {field.name: field for field in FIELDS if field.name not in {"version", "slots", "facets", "terms"}}
"""Fields with a column: all but the constants of a table."""
FLOATS = {name: 1 + len(field.dims) for name, field in COLUMNS.items() if field.code == "f4"}
"""Columns of 32-bit floats → number of indices."""
C_TYPES = {
    "i8": "long long", "u8": "unsigned long long", "u4": "unsigned int", "f4": "float", "i2": "short",
    "u2": "unsigned short", "u1": "unsigned char",
}  # fmt: skip
PROTOCOLS = ("Column", "Columns", "Grid")


def view(row: Row, name: str) -> memoryview:
    """Return a column as an uncompiled row has it."""
    return memoryview(row.array[name])


# Columns


def test_each_field_has_a_typed_column() -> None:
    """The declarations for the compiler are those of the layout."""
    declared = re.findall(
        r"^    cdef (?:readonly )?([a-z ]+)\[([:, ]+)\] (\w+)$", (SOURCE / "row/row.pxd").read_text(), re.MULTILINE
    )
    dims = {field.name: ", ".join(":" * (1 + len(field.dims))) for field in COLUMNS.values()}
    assert {name: (kind, its_dims) for kind, its_dims, name in declared} == {
        name: (C_TYPES[field.code], dims[name]) for name, field in COLUMNS.items()
    }


def test_each_column_has_an_annotation() -> None:
    """Type checkers see the number and the indices of each field."""
    tree = ast.parse((SOURCE / "row/row.py").read_text())
    found = {
        node.target.attr: (ast.unparse(node.annotation), ast.unparse(cast("ast.expr", node.value)))
        for node in ast.walk(tree)
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Attribute) and node.target.attr in COLUMNS
    }
    assert found == {name: (annotation(field), f"self._column({name!r})") for name, field in COLUMNS.items()}


def annotation(field: Field) -> str:
    return f"{PROTOCOLS[len(field.dims)]}[{'float' if field.code == 'f4' else 'int'}]"


@pytest.mark.skipif(COMPILED, reason="columns of a compiled row cannot be seen from Python")
def test_columns_view_their_fields() -> None:
    """Uncompiled columns read and write the bytes of the table."""
    row = Row(LAYOUT, 3)
    for name, field in COLUMNS.items():
        column, held = getattr(row, name), row.array[name]
        assert (column.shape, np.dtype(column.format)) == (held.shape, np.dtype(f"<{field.code}"))
        last = tuple(size - 1 for size in held.shape)
        column[last if last[1:] else 2] = 1
        assert held[last] == 1


@given(st.data())
def test_rows_never_touch_each_other(data: st.DataObject) -> None:
    """After any writes, each number of both rows is the one last written to its place, or 0."""
    row = Row(LAYOUT, 2)
    written: dict[tuple[str, tuple[int, ...]], float] = {}
    for _ in range(data.draw(st.integers(0, 30))):
        name = data.draw(st.sampled_from(sorted(COLUMNS)))
        column = view(row, name)
        place = tuple(data.draw(st.integers(0, size - 1)) for size in row.array[name].shape)
        number = data.draw(st.integers(0, 127))
        written[name, place] = number
        column[cast("Any", place if place[1:] else place[0])] = number
    for name in COLUMNS:
        for place, number in np.ndenumerate(row.array[name]):
            assert number == written.get((name, place), 0)


# Places


@given(st.binary(min_size=LAYOUT.size, max_size=LAYOUT.size), st.integers(0, 2))
def test_written_row_is_read(data: bytes, at: int) -> None:
    """The other rows stay."""
    row = Row(LAYOUT, 3)
    row.move_to(at)
    row.write(data)
    for place in range(3):
        row.move_to(place)
        assert row.read() == (data if place == at else bytes(LAYOUT.size))


def test_row_of_another_layout_is_rejected() -> None:
    """Nothing is written."""
    row = Row(LAYOUT, 2)
    with pytest.raises(ValueError, match="different structures"):
        row.write(bytes(LAYOUT.size + 8))
    assert not any(row.data)


def test_grown_table_keeps_its_rows() -> None:
    """Rows stay at their places, and components read and write the new table."""
    row = Row(LAYOUT, 2)
    log = FeedbackLog(row, CATALOGUE.slot_facets)
    row.move_to(1)
    log.add(1000, 0, 1, 1.0, 0.0, 1.0, (0,), ())
    before = row.read()
    row.grow(5)
    assert row.room == 5
    assert row.read() == before
    row.move_to(4)
    log.add(2000, 0, 1, 1.0, 0.0, 1.0, (0,), ())
    assert log.newest_s() == 2
    row.move_to(1)
    assert row.read() == before


def test_numbers_are_those_of_the_present_row() -> None:
    """A number, or lists of numbers."""
    row = Row(layout_of(Sizes(3, 2, 3)), 2)
    row.array["means"][1] = [0.5, 0.25, 0.0]
    row.array["mood"][1] = 2.0
    row.move_to(1)
    assert row.numbers("means") == [0.5, 0.25, 0.0]
    assert row.numbers("mood") == 2.0
    row.move_to(0)
    assert row.numbers("means") == [0.0] * 3


@pytest.mark.parametrize("at", [1, 1000])
def test_place_beyond_the_table_is_an_error(at: int) -> None:
    """Compiled and uncompiled, nothing is read from other memory."""
    row = Row(LAYOUT)
    log = FeedbackLog(row, CATALOGUE.slot_facets)
    row.move_to(at)
    with pytest.raises(IndexError):
        log.total(0, 0)
    with pytest.raises(IndexError):
        log.newest_s()


@pytest.mark.parametrize("beyond", [0, 1, 10**6])
def test_index_beyond_a_field_is_an_error(beyond: int) -> None:
    """Reads and writes; the numbers behind a field belong to another one."""
    row, slots = Row(LAYOUT, 2), len(CATALOGUE.slots)
    log = FeedbackLog(row, CATALOGUE.slot_facets)
    with pytest.raises(IndexError):
        log.total(slots + beyond, 0)
    with pytest.raises(IndexError):
        log.has_feedback([slots + beyond])
    with pytest.raises(IndexError):
        log.add(1000, 0, 1, 1.0, 0.0, 1.0, (8 * ((slots + 7) // 8) + 8 * beyond,), ())


# Reads of 32-bit floats


def compiled_sources() -> list[Path]:
    return [path.with_suffix(".py") for path in sorted(SOURCE.rglob("*.pxd"))]


def narrow_reads(tree: ast.AST) -> Iterator[int]:
    """Yield the line of each read of a column of 32-bit floats outside `float(…)`."""
    widened = {
        id(node.args[0])
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "float" and node.args
    }
    subscripted = {id(node.value): node for node in ast.walk(tree) if isinstance(node, ast.Subscript)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Attribute) or node.attr not in FLOATS or not is_row(node.value):
            continue
        found = subscripted.get(id(node))
        read = found or node
        indices = len(found.slice.elts) if found and isinstance(found.slice, ast.Tuple) else 1
        is_column = found is None or indices == FLOATS[node.attr]
        if is_column and isinstance(read.ctx, ast.Load) and id(read) not in widened:
            yield node.lineno


def is_row(node: ast.expr) -> bool:
    """Return whether an expression names a row: `row`, `self.row`, `self._row`."""
    name = node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""
    return name in {"row", "_row"}


@pytest.mark.parametrize("path", compiled_sources(), ids=lambda path: path.stem)
def test_floats_of_32_bits_are_read_as_doubles(path: Path) -> None:
    """Compiled, arithmetic between two such numbers would be rounded to 32 bits; an alias of a column hides them."""
    assert list(narrow_reads(ast.parse(path.read_text()))) == []


@pytest.mark.parametrize(
    ("text", "is_narrow"),
    [
        ("float(row.means[at, slot])", False),
        ("row.means[at, slot]", True),
        ("x = 2 * self._row.means[row.at, slot]", True),
        ("x = float(row.means[at, slot] * row.means[at, 0])", True),
        ("means = row.means", True),
        ("row.means[at, slot] = x", False),
        ("row.means[at, slot] += x", False),
        ("row.bias[at]", True),
        ("table.means[slot]", False),
        ("row.totals[at, place]", False),
    ],
)
def test_narrow_reads_are_found(text: str, is_narrow: bool) -> None:
    """The test above finds them."""
    assert bool(list(narrow_reads(ast.parse(text)))) is is_narrow
