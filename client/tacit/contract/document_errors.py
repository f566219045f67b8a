"""Problems of a document that msgspec rejects, with the full path and the allowed values."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec


def explained(
    document: Mapping[str, Any], problem: str, tables: Mapping[str, type], choices: Mapping[str, tuple[object, ...]]
) -> str:
    """Return a problem with the name of the entry that has it, and with the allowed values of a choice.

    Args:
        document: the document.
        problem: text of msgspec's error, which has `[...]` in place of the name of an entry.
        tables: table of entries → type of its entries.
        choices: last part of a path → allowed values.

    >>> explained({}, "Invalid enum value 'asleep' - at `$.mode`", {}, {"mode": ("live", "apprentice")})
    "Invalid enum value 'asleep' - at `$.mode`; allowed are live, apprentice"
    """
    for table, kind in tables.items():
        if f"`$.{table}[...]" in problem:
            problem = next(_of_entries(table, document[table], kind), problem)
    if not problem.startswith("Invalid enum value"):
        return problem
    allowed = choices.get(problem.rstrip("`").rpartition(".")[2], ())
    return f"{problem}; allowed are {', '.join(map(str, allowed))}" if allowed else problem


def _of_entries(table: str, entries: Mapping[str, Any], kind: type) -> Iterator[str]:
    for name, entry in entries.items():
        try:
            msgspec.convert(entry, kind)
        except msgspec.ValidationError as error:
            problem, _, path = str(error).partition(" - at `$")
            yield f"{problem} - at `$.{table}.{name}{path.rstrip('`')}`"
