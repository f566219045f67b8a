"""Pages of the documentation, cut into blocks and code spans."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

ROOT = Path(__file__).parents[2]
FENCE = re.compile(r"^( *)(```+)(?: ?\{ ?\.)?(\w*)[^\n]*\n(.*?)^ *\2 *$", re.DOTALL | re.MULTILINE)
NOTE = re.compile(r"<!--\s*([\w ]+): ([^>]*?)\s*-->\n\s*\Z")
SPAN = re.compile(r"`([^`\n]+)`")
SNIPPET = re.compile(r'^--8<-- "([^"]+)"$', re.MULTILINE)


@dataclass(frozen=True)
class Shown:
    """A command of a console block, and the output that the page shows."""

    command: str
    output: tuple[str, ...]
    note: tuple[str, str]
    """Kind and text of the HTML comment above the block."""

    def __str__(self) -> str:
        return self.command


@dataclass(frozen=True)
class Block:
    """A fenced block: language, text, and the HTML comment above."""

    language: str
    text: str
    note: tuple[str, str]


@dataclass(frozen=True)
class Page:
    """A Markdown file."""

    path: Path

    def __str__(self) -> str:
        return str(self.path.relative_to(ROOT))

    @cached_property
    def text(self) -> str:
        """The file."""
        return self.path.read_text(encoding="utf-8")

    @property
    def prose(self) -> str:
        """The file without fenced blocks."""
        return FENCE.sub("", self.text)

    def blocks(self, language: str) -> list[Block]:
        """Return the blocks of a language."""
        return [block for block in self._blocks() if block.language == language]

    def _blocks(self) -> Iterator[Block]:
        for match in FENCE.finditer(self.text):
            note = NOTE.search(self.text, 0, match.start())
            text = re.sub(rf"^{match[1]}", "", match[4], flags=re.MULTILINE)
            yield Block(match[3], text, (note[1], note[2]) if note else ("", ""))

    def spans(self) -> list[str]:
        """Return the code spans outside of blocks."""
        return SPAN.findall(self.prose)

    def commands(self) -> list[Shown]:
        """Return the commands of the console blocks, in the page's order."""
        return [
            Shown(command, tuple(output), block.note)
            for block in self.blocks("console")
            for part in re.split(r"^\$ ", block.text, flags=re.MULTILINE)[1:]
            for command, *output in [part.splitlines()]
        ]

    def python(self) -> list[str]:
        """Return the Python blocks; a snippet is replaced by the file that it includes."""
        return [
            SNIPPET.sub(lambda match: (ROOT / match[1]).read_text(encoding="utf-8"), block.text)
            for block in self.blocks("python")
            if block.note[0] != "not run"
        ]


READMES = [ROOT / "client/README.md", ROOT / "clients/typescript/README.md"]
PAGES = [Page(path) for path in sorted([*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *READMES])]
