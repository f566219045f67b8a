"""Texts and names of Python files, lines and sentences of Markdown files, and the table of a glossary."""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

ESCAPE = re.compile(r"(?:#|<!--)\s*prose:\s*\w")

CODE = re.compile(r"(`{1,2})(?!`)[^`\n]+(?:\n[^`\n]+)?\1")
VERBATIM = re.compile(r"^[ \t]*>>>.*?(?=\n[ \t]*\n|\Z)|^[ \t]*```.*?^[ \t]*```", re.M | re.S)
"""Doctests with their output and fenced code of a docstring."""

COMMENT = re.compile(r"<!--.*?-->", re.S)
FENCE = re.compile(r"[\s>]*(?:[-*+]\s+|\d+\.\s+)?(```+|~~~+)")
LINK = re.compile(r"!?\[[^\[\]]*\](?:\([^)]*\)|\[[^\]]*\])?|<?https?://[^\s>)]+>?")

SENTENCE_END = re.compile(r"([^\s.!?]*(?:\.[^\s.!?]+)*[.!?]+)[)\]\"'”’*_]*\s+(?=[(\[\"'“‘*_]*[A-ZÄÖÜ])")
ABBREVIATION = re.compile(
    r"\W*(?:(?:[a-z]\.)+|(?:etc|cf|vs|approx|resp|incl|no|nos|fig|vol|sec|ch|pp|ca|st|dr)\.)", re.I
)
"""Words with a full stop that ends no sentence: e.g., i.e., z. B., initials, and the like."""


@dataclass(frozen=True)
class Text:
    """A docstring, a comment or a string of a Python file."""

    kind: str
    line: int
    end: int
    text: str

    def line_of(self, position: int) -> int:
        """Return the line of a position in the text."""
        return min(self.end, self.line + self.text.count("\n", 0, position))


class Name(NamedTuple):
    """A name where a Python file defines it."""

    text: str
    line: int
    public: bool


def cover(pattern: re.Pattern[str], text: str, filler: str = " ") -> str:
    """Replace each match by fillers, so that positions and lines stay."""
    return pattern.sub(lambda match: re.sub(r"[^\n]", filler, match[0]), text)


# Python


def python_texts(source: str) -> list[Text]:
    """Return the docstrings, comments and strings with a space of a Python file."""
    tree = ast.parse(source)
    docstrings = {id(node) for node in _docstrings(tree)}
    strings = [
        Text("docstring" if id(n) in docstrings else "string", n.lineno, n.end_lineno or n.lineno, n.value)
        for n in ast.walk(tree)
        if isinstance(n, ast.Constant) and isinstance(n.value, str) and (" " in n.value or id(n) in docstrings)
    ]
    comments = [
        Text("comment", token.start[0], token.start[0], token.string)
        for token in tokenize.generate_tokens(io.StringIO(source).readline)
        if token.type == tokenize.COMMENT and not ESCAPE.match(token.string)
    ]
    return strings + comments


def _docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    """Yield the docstrings of modules, classes, functions and attributes."""
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if not isinstance(body, list):
            continue
        documented = isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        for before, statement in zip([None, *body], body, strict=False):
            if (before is None and documented) or isinstance(before, ast.Assign | ast.AnnAssign):
                match statement:
                    case ast.Expr(value=ast.Constant(value=str()) as constant):
                        yield constant


def prose_of(text: Text) -> str:
    """Return a text with code and doctest lines covered."""
    return cover(CODE, cover(VERBATIM, text.text))


def python_names(tree: ast.AST, public: bool = True) -> Iterator[Name]:
    """Yield each name that a Python file defines, and whether the name is public."""
    for node in ast.iter_child_nodes(tree):
        inside = public
        match node:
            case ast.ClassDef(name=name):
                yield _name(name, node, public)
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield _name(name, node, public)
                inside = False
            case ast.Lambda():
                inside = False
            case ast.arg(arg=name):
                yield _name(name, node, False)
            case ast.Name(id=name, ctx=ast.Store()):
                yield _name(name, node, public)
            case ast.Attribute(attr=name, ctx=ast.Store()):
                yield _name(name, node, True)
        yield from python_names(node, inside)


def _name(name: str, node: ast.stmt | ast.expr | ast.arg, public: bool) -> Name:
    return Name(name, node.lineno, public and not name.startswith("_"))


def snake_case(name: str) -> str:
    """Return a name in snake case.

    >>> snake_case("LastSaid")
    'last_said'
    """
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


# Markdown


def markdown_lines(source: str) -> Iterator[tuple[int, str, str]]:
    """Yield number, text, and text without comments, of each line outside code fences and without an escape."""
    fence = ""
    bare = cover(COMMENT, source).split("\n")
    for number, (raw, line) in enumerate(zip(source.split("\n"), bare, strict=True), 1):
        if opened := FENCE.match(line):
            if not fence:
                fence = opened[1]
            elif opened[1].startswith(fence):
                fence = ""
        elif not fence and not ESCAPE.search(raw):
            yield number, raw, line


def sentence_ends(text: str) -> list[str]:
    """Return the last word of each sentence of a line but the last one."""
    covered = cover(LINK, cover(CODE, text, "X"), "X")
    ends = (m for m in SENTENCE_END.finditer(covered) if not ABBREVIATION.fullmatch(m[1]))
    return [text[m.start(1) : m.end(1)] for m in ends]


# Glossary


def without_not_column(row: str) -> str:
    """Return a row of the glossary without the last cell."""
    return row.rstrip().rstrip("|").rpartition("|")[0]


def excluded_words(table: str) -> Iterator[tuple[int, str]]:
    """Yield line and word of the "not" column of a glossary, remarks in parentheses left out."""
    for number, line in enumerate(table.split("\n"), 1):
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if line.lstrip().startswith("|") and len(cells) == 3 and cells[2] != "not" and not re.match(r":?-+", cells[2]):
            words = re.split(r"[,;]", re.sub(r"\([^)]*\)", "", cells[2]).replace("`", ""))
            yield from ((number, word.strip()) for word in words if word.strip())
