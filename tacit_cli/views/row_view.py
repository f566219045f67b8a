"""The row of one user, field by field, as it is stored: for a privacy review, and for a search for faults."""

from collections.abc import Mapping
from typing import Any

from rich.table import Table

from state.row.layout import GROUPS, VERSION
from state.user import codec
from state.user.user_state import UserState
from tacit.contract.pseudonyms import pseudonym_text


def row_as_dict(user: bytes, state: UserState) -> dict[str, Any]:
    """Return layout version, size in bytes, and all numbers of a row by group and field, with those of the history."""
    fields = {name: {field.name: state.row.numbers(field.name) for field in group} for name, group in GROUPS.items()}
    fields["history"] = {"written": list(state.history.written), "entries": list(map(list, state.history.entries))}
    return {"user": pseudonym_text(user), "layout": VERSION, "bytes": len(codec.pack(state)), "fields": fields}


def row_table(shown: Mapping[str, Any]) -> Table:
    """Return the document as a table."""
    table = Table(
        "group", "field", "numbers", title=f"{shown['user']}: {shown['bytes']:,} bytes, layout {shown['layout']}"
    )
    for group, fields in shown["fields"].items():
        for number, (name, numbers) in enumerate(fields.items()):
            table.add_row("" if number else group, name, str(numbers), end_section=number == len(fields) - 1)
    return table
