"""Reference of a user's row, from the layout itself."""

from state.catalogue.numbered import NumberedCatalogue
from state.row.layout import GROUPS, VERSION, Layout, layout_of, sizes_of
from state.user.history import ENTRY, HEAD, MOST
from tools.docs.markdown import code, table

_INTRODUCTION = """\
# Row of a user

All state of a user is one row of bytes, in memory and on disk. Layout {version} takes {size:,} bytes for the shipped
catalogue, with {slots} values, {facets} facets and {terms} terms. A row of a larger catalogue is longer.
Behind the row stands the user's history, if there is one: {head} bytes, and {entry} for each of up to {most} entries.
`state/user/history.py` describes their numbers.

Numbers are little-endian: signed (`i`), unsigned (`u`) or floating (`f`), with their size in bytes.
"""


def row_page() -> str:
    """Return the page."""
    sizes = sizes_of(NumberedCatalogue.load())
    layout = layout_of(sizes)
    introduction = _INTRODUCTION.format(
        version=VERSION, size=layout.size, head=HEAD.size, entry=ENTRY.size, most=2 * MOST, **sizes._asdict()
    )
    return "\n".join([introduction, *(_section(name, layout) for name in GROUPS)])


def _section(name: str, layout: Layout) -> str:
    rows = []
    for field in GROUPS[name]:
        offset, size = layout.offsets[field.name]
        shape = " × ".join(map(str, layout.dtype[field.name].shape)) or "1"
        rows.append([code(field.name), f"{field.code} × {shape}", str(offset), str(size), field.about])
    return f"## {name.capitalize()}\n\n" + table(["field", "numbers", "offset", "bytes", "meaning"], rows)
