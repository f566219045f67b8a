"""Markdown of the generated pages, and the texts below the members of a class."""

import ast
import inspect
import textwrap
from collections.abc import Iterable, Sequence


def table(headings: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    r"""Return a table; a vertical bar or a line break within a cell does not end the cell.

    >>> print(table(["a", "b"], [["1|2 `1|2`", "x\ny"]]), end="")
    | a | b |
    |---|---|
    | 1&#124;2 `1|2` | x y |
    """
    head, *body = (f"| {' | '.join(map(_cell, line))} |\n" for line in [headings, *rows])
    return "".join([head, f"|{'---|' * len(headings)}\n", *body])


def _cell(text: str) -> str:
    parts = " ".join(text.split()).split("`")  # every second part is code, whose bars stay
    return "`".join(part if number % 2 else part.replace("|", "&#124;") for number, part in enumerate(parts))


def code(text: object) -> str:
    """Return a text as code; nothing for an empty text."""
    return f"`{text}`" if str(text) else ""


def paragraph(docstring: str | None) -> str:
    """Return a docstring without its indentation."""
    return inspect.cleandoc(docstring or "")


def member_texts(cls: type) -> dict[str, str]:
    """Return the string below each member of a class, by the member's name; base classes included.

    >>> from state.events.records import Reason
    >>> member_texts(Reason)["TOO_LARGE"]
    'The record is larger than 16 KiB.'
    """
    texts: dict[str, str] = {}
    for base in reversed(cls.__mro__):
        if base.__module__ in _WITHOUT_TEXTS:
            continue
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        if isinstance(definition, ast.ClassDef):
            texts |= _texts_below(definition)
    return texts


_WITHOUT_TEXTS = {"builtins", "enum", "typing", "msgspec", "msgspec._core", "pydantic.main", "pydantic_settings.main"}


def _texts_below(definition: ast.ClassDef) -> dict[str, str]:
    found = {}
    for member, text in zip(definition.body, definition.body[1:], strict=False):
        match member, text:
            case (
                ast.AnnAssign(target=ast.Name(id=name)) | ast.Assign(targets=[ast.Name(id=name)]),
                ast.Expr(value=ast.Constant(value=str(value))),
            ):
                found[name] = inspect.cleandoc(value)
    return found
