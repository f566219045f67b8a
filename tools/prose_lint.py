"""Check of names, docstrings, messages and pages against the project's language rules.

`python -m tools.prose_lint [--count | --figures] [PATH ...]`, from the project's root. Exit status: 0 without a
finding, 1 with findings, 2 for wrong usage. Without paths the whole project is checked, its commits included.

Rule 1: no docstring begins with a clause ("What", "Who", "Whose", "That which", "Whether", "How", "Why", "Where").
The product's docstrings keep to `MAX_CLAUSES` and `MAX_PRONOUNS` per 1,000 words. Inline code, fenced code and
doctest lines count neither as words nor as breaches.

Rule 2: no word of the glossary's "not" column and no word that rule 4 excludes, in docstrings, comments, strings with
a space, names at their definition, and Markdown. `docs/glossary.md` must not exclude a word that the tables lack.

Rule 8: the subject of each commit after `BASE` is an imperative of at most 72 characters.

Rule 9: a line of Markdown has at most 120 characters and one sentence. Fenced code, tables and lines with nothing but
a link are exempt.

Escapes: `# prose: <reason>` in a line of Python, `<!-- prose: <reason> -->` in a line of Markdown, and `EXCEPTIONS`.
"""

import argparse
import ast
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from tools.prose_text import (
    CODE,
    ESCAPE,
    Name,
    Text,
    cover,
    excluded_words,
    markdown_lines,
    prose_of,
    python_names,
    python_texts,
    sentence_ends,
    snake_case,
    without_not_column,
)
from tools.prose_words import (
    CLAUSE_WORDS,
    EXCEPTIONS,
    IMPERATIVES,
    MAX_CLAUSES,
    MAX_PRONOUNS,
    NAMES,
    NO_VERBS,
    PRONOUNS,
    RULE_4,
    UNCHECKED,
    WORDS,
    Avoid,
)

BASE = "84286168a1f786646d822b9d771fc0cdfad7a3ae"
"""Rule 8 holds for the commits after this one."""

PRODUCT = (
    "client/tacit",
    "state",
    "operators",
    "connectors",
    "dataflows",
    "tacit",
    "tacit_cli",
    "tacit_lab",
    "tacit_service",
)
"""Folders whose docstrings the rates of rule 1 are measured in."""
PAGES = ("docs", "README.md", "CHANGELOG.md", "CONTRIBUTING.md")
PATHS = (*PRODUCT, "tools", "tests", "benchmarks", "examples", *PAGES)
GLOSSARY = Path("docs/glossary.md")

MAX_LINE = 120
MAX_SUBJECT = 72

CLAUSE_START = re.compile(r"\W*(what(?:ever)?|who(?:ever)?|whom|whose|that which|whether|how|why|where)\b", re.I)
WORD = re.compile(r"[A-Za-z][A-Za-z'’-]*")

MARKERS = re.compile(r"\s*(?:#+\s+|>\s*|[-*+]\s+(?:\[[ x]\]\s+)?|\d+[.)]\s+)*(?:\d+(?:\.\d+)*\.\s+)?")
TARGET = re.compile(r"(?<=\])(?:\([^)\s]*(?:\s+\"[^\"]*\")?\)|\[[^\]]*\])|^\s*\[[^\]]+\]:\s*\S+|<?https?://[^\s>)]+>?")
ONLY_LINK = re.compile(r"(?:\[!\[[^\]]*\]\([^)]*\)\]\([^)]*\)|!?\[[^\]]*\](?:\([^)]*\)|:\s*\S+)|<?https?://\S+)[.,;:]?")

OTHER_FORM = re.compile(r"[A-Z]\w*(?:ed|ing|(?<!s)s)")


@dataclass(frozen=True, order=True)
class Finding:
    """A breach of a rule at a line."""

    path: str
    line: int
    rule: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: rule {self.rule}: {self.message}"


@dataclass(frozen=True)
class Rates:
    """Words, clauses and pronouns of docstrings."""

    words: int
    clauses: int
    pronouns: int

    def per_1000(self, count: int) -> float:
        """Return the rate of a count."""
        return 1000 * count / max(1, self.words)

    def __str__(self) -> str:
        clauses, pronouns = self.per_1000(self.clauses), self.per_1000(self.pronouns)
        return f"{self.words:,} words, {clauses:.1f} clauses and {pronouns:.1f} pronouns per 1,000 words"


# Words and names


def _compiled(words: Iterable[Avoid], form: str) -> re.Pattern[str]:
    """Return all patterns in one, with a group for each."""
    return re.compile("|".join(form.format(w.pattern.replace(" ", r"\s+")) for w in words), re.I)


ANY_WORD = _compiled(WORDS, r"(\b(?:{})\b)")
ANY_NAME = _compiled(NAMES, r"((?:^|(?<=_))(?:{})(?=_|$))")


def words_to_avoid(prose: str) -> Iterator[tuple[Avoid, re.Match[str]]]:
    """Yield each word to avoid, with its match."""
    for match in ANY_WORD.finditer(prose):
        yield WORDS[(match.lastindex or 1) - 1], match


def names_to_avoid(name: str) -> Iterator[Avoid]:
    """Yield each part to avoid of a name in snake case or camel case."""
    for match in ANY_NAME.finditer(snake_case(name)):
        yield NAMES[(match.lastindex or 1) - 1]


def is_exempt(path: str, word: Avoid) -> bool:
    """Return whether `EXCEPTIONS` permits a word in a file."""
    return any(fnmatch(path, glob) and name in ("*", word.name) for glob, name, _ in EXCEPTIONS)


# Python


def check_python(path: str, source: str) -> Iterator[Finding]:
    """Yield the breaches of rules 1 and 2 in a Python file."""
    escaped = {n for n, line in enumerate(source.splitlines(), 1) if ESCAPE.search(line)}
    for text in python_texts(source):
        if escaped.isdisjoint(range(text.line, text.end + 1)):
            yield from _check_text(path, text)
    seen = set[str]()
    for name in [Name(Path(path).stem, 1, True), *python_names(ast.parse(source))]:
        for part in names_to_avoid(name.text):
            checked = name.line not in escaped and (name.public or not part.public_only)
            if checked and name.text not in seen and not is_exempt(path, part):
                seen.add(name.text)
                yield Finding(path, name.line, 2, f'name "{name.text}"; use: {part.use}')


def _check_text(path: str, text: Text) -> Iterator[Finding]:
    prose = prose_of(text)
    if text.kind == "docstring" and (start := CLAUSE_START.match(prose)):
        yield Finding(path, text.line, 1, f'docstring begins with "{start[1]}"; begin with a noun or an imperative')
    for word, match in words_to_avoid(prose):
        if not is_exempt(path, word):
            shown = " ".join(match[0].split())
            yield Finding(path, text.line_of(match.start()), 2, f'"{shown}" in a {text.kind}; use: {word.use}')


# Rates


def rates(sources: Iterable[str]) -> Rates:
    """Return the figures of the docstrings of Python sources."""
    counts = Counter[str]()
    for source in sources:
        for text in python_texts(source):
            if text.kind == "docstring":
                counts.update(word.lower().replace("’", "'") for word in WORD.findall(prose_of(text)))
    return Rates(counts.total(), sum(counts[w] for w in CLAUSE_WORDS), sum(counts[w] for w in PRONOUNS))


def check_rates(found: Rates) -> Iterator[Finding]:
    """Yield a finding for each rate that is too high."""
    for kind, count, most in (("clauses", found.clauses, MAX_CLAUSES), ("pronouns", found.pronouns, MAX_PRONOUNS)):
        if (rate := found.per_1000(count)) > most:
            yield Finding(".", 0, 1, f"docstrings have {rate:.1f} {kind} per 1,000 words; at most {most:g} are allowed")


# Markdown


def check_markdown(path: str, source: str) -> Iterator[Finding]:
    """Yield the breaches of rules 2 and 9 in a Markdown file."""
    for number, raw, line in markdown_lines(source):
        is_row = line.lstrip().startswith("|")
        prose = without_not_column(line) if is_row and path == GLOSSARY.as_posix() else line
        for word, match in words_to_avoid(cover(TARGET, cover(CODE, prose))):
            if not is_exempt(path, word):
                yield Finding(path, number, 2, f'"{match[0]}" in a page; use: {word.use}')
        if is_row:
            continue
        text = line[MARKERS.match(line).end() :]  # type: ignore[union-attr]  # it matches the empty string, too
        if len(raw) > MAX_LINE and not ONLY_LINK.fullmatch(text.rstrip()):
            yield Finding(path, number, 9, f"line has {len(raw)} characters; at most {MAX_LINE} are allowed")
        if ends := sentence_ends(text):
            yield Finding(path, number, 9, f'line has {len(ends) + 1} sentences; break it after "{ends[0]}"')


# Glossary


def is_covered(word: str) -> bool:
    """Return whether the tables check an excluded word, or give a reason not to."""
    name = re.sub(r"\W+", "_", word)
    return word in UNCHECKED or any(words_to_avoid(word)) or any(names_to_avoid(name))


def check_glossary(path: str, table: str) -> Iterator[Finding]:
    """Yield each excluded word, of the glossary or of rule 4, that the tables lack."""
    for number, word in [*excluded_words(table), *((1, word) for word in RULE_4.split(", "))]:
        if not is_covered(word):
            yield Finding(path, number, 2, f'"{word}" is in none of WORDS, NAMES and UNCHECKED of tools/prose_words.py')


# Commits


def commits(root: Path, base: str) -> list[tuple[str, str]] | None:
    """Return hash and subject of each commit after a base; None where git does not know the base."""
    git = ["git", "-C", str(root)]
    try:
        subprocess.run([*git, "cat-file", "-e", f"{base}^{{commit}}"], check=True, capture_output=True)  # noqa: S603
        log = [*git, "log", "--format=%h%x09%s", f"{base}..HEAD"]
        lines = subprocess.run(log, check=True, capture_output=True, encoding="utf-8").stdout  # noqa: S603
    except (OSError, subprocess.CalledProcessError):
        return None
    return [(commit, subject) for commit, _, subject in (line.partition("\t") for line in lines.splitlines())]


def check_subject(commit: str, subject: str) -> Iterator[Finding]:
    """Yield the breaches of rule 8 in a commit's subject."""
    verb = re.split(r"\W", subject, maxsplit=1)[0]
    if len(subject) > MAX_SUBJECT:
        yield Finding(commit, 1, 8, f"subject has {len(subject)} characters; at most {MAX_SUBJECT} are allowed")
    if not verb[:1].isupper():
        yield Finding(commit, 1, 8, "subject begins without an upper-case letter")
    elif verb in NO_VERBS or (OTHER_FORM.fullmatch(verb) and verb not in IMPERATIVES):
        yield Finding(commit, 1, 8, f'subject begins with "{verb}"; begin with an imperative')
    if subject.endswith(".") and not subject.endswith("..."):
        yield Finding(commit, 1, 8, "subject ends with a full stop")


# Command line


def files(root: Path, paths: Iterable[str]) -> list[str]:
    """Return the Python and Markdown files of paths, hidden folders left out."""
    found = set[str]()
    for path in paths:
        given = (root / path).resolve()
        for file in given.rglob("*") if given.is_dir() else [given]:
            hidden = any(part.startswith(".") for part in file.relative_to(given).parts)
            if file.suffix in (".py", ".md") and not hidden:
                found.add(_shown(file, root.resolve()))
    return sorted(found)


def _shown(file: Path, root: Path) -> str:
    return (file.relative_to(root) if file.is_relative_to(root) else file).as_posix()


def check_files(root: Path, names: Iterable[str]) -> Iterator[Finding]:
    """Yield the breaches of rules 1, 2 and 9 in files."""
    for name in names:
        source = (root / name).read_text(encoding="utf-8")
        yield from (check_python if name.endswith(".py") else check_markdown)(name, source)


def product_rates(root: Path, names: Iterable[str]) -> Rates:
    """Return the figures of the product's files among those named."""
    return rates((root / name).read_text(encoding="utf-8") for name in names if is_product(name))


def is_product(name: str) -> bool:
    """Return whether a file is Python of the product."""
    return name.endswith(".py") and name.startswith(tuple(f"{folder}/" for folder in PRODUCT))


def check_project(root: Path, names: Sequence[str]) -> Iterator[Finding]:
    """Yield the findings that belong to no single file: rates, glossary and commits."""
    yield from check_rates(product_rates(root, names))
    if (root / GLOSSARY).exists():
        yield from check_glossary(GLOSSARY.as_posix(), (root / GLOSSARY).read_text(encoding="utf-8"))
    if (found := commits(root, BASE)) is None:
        sys.stdout.write(f"rule 8: skipped, as git has no commit {BASE[:7]} here\n")
    for commit, subject in found or ():
        yield from check_subject(commit, subject)


def counted(findings: Iterable[Finding]) -> Iterator[str]:
    """Yield a line per rule and file, the highest count first."""
    for (path, rule), count in Counter((f.path, f.rule) for f in findings).most_common():
        yield f"{count:6} rule {rule} {path}"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; return its exit status."""
    parser = argparse.ArgumentParser(
        prog="prose_lint", description="Check prose against docs/glossary.md and its rules."
    )
    group = parser.add_mutually_exclusive_group()
    group.add_argument(
        "--figures",
        action="store_true",
        help="print only the rates of the product's docstrings; with PATH also of each file",
    )
    group.add_argument("--count", action="store_true", help="print a number per rule and file, the highest first")
    parser.add_argument("paths", nargs="*", metavar="PATH", help="files and folders (default: the whole project)")
    options = parser.parse_args(arguments)
    root = Path()
    if missing := [path for path in options.paths if not (root / path).exists()]:
        parser.error(f"{', '.join(missing)}: no such file or folder")
    names = files(root, options.paths or (path for path in PATHS if (root / path).exists()))
    if options.figures:
        sys.stdout.write(f"{product_rates(root, names)}\n")
        for name in filter(is_product, names if options.paths else ()):
            sys.stdout.write(f"{name}: {product_rates(root, [name])}\n")
        return 0
    findings = sorted([*check_files(root, names), *([] if options.paths else check_project(root, names))])
    for line in counted(findings) if options.count else findings:
        sys.stdout.write(f"{line}\n")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
