"""Output of commands: the result on stdout, as text or as JSON."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import typer


@dataclass(frozen=True, slots=True)
class Output:
    """Form of a command's result."""

    as_json: bool = False
    quiet: bool = False

    @property
    def hides_progress(self) -> bool:
        """True if no progress may appear on stderr."""
        return self.as_json or self.quiet

    def print(self, document: Any, text: Callable[[], str]) -> None:
        """Print a result that is a line of text."""
        self.show(document, lambda: typer.echo(text()))

    def show(self, document: Any, show: Callable[[], object]) -> None:
        """Print a result as JSON, or call `show` to print it for a user of a terminal."""
        if self.as_json:
            typer.echo(json.dumps(document, indent=2, ensure_ascii=False))
        elif not self.quiet:
            show()
