"""Markdown extension: a doctest of a docstring becomes a block of code instead of a quotation."""

import re

from markdown import Extension, Markdown  # type: ignore[import-untyped]  # no stubs are installed
from markdown.preprocessors import Preprocessor  # type: ignore[import-untyped]  # the same

BEFORE_FENCES = 30
"""Priority above that of fenced code, which then finds the blocks."""


class Doctests(Preprocessor):  # type: ignore[misc]  # the base has no types
    """Fences each run of lines from `>>>` to the next empty line."""

    def run(self, lines: list[str]) -> list[str]:
        """Return the lines with fences.

        >>> Doctests().run(["text", "", ">>> 1 + 1", "2"])
        ['text', '', '```pycon', '>>> 1 + 1', '2', '```']
        """
        text = re.sub(r"^>>> .*(?:\n.*\S.*)*", r"```pycon\n\g<0>\n```", "\n".join(lines), flags=re.MULTILINE)
        return text.split("\n")


class DoctestExtension(Extension):  # type: ignore[misc]  # the base has no types
    """The extension, as Markdown registers it."""

    def extendMarkdown(self, md: Markdown) -> None:  # noqa: N802  # Markdown calls it by this name
        """Add the preprocessor."""
        md.preprocessors.register(Doctests(md), "doctests", BEFORE_FENCES)


def makeExtension() -> DoctestExtension:  # noqa: N802  # Markdown calls it by this name
    """Return the extension."""
    return DoctestExtension()
