"""Group of commands whose modules are imported when a command is invoked."""

from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from importlib import import_module
from typing import Any, NamedTuple, cast

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import get_command

from tacit_cli.light_parsing import parse_lightly


class Lazy(NamedTuple):
    """Module of a command or of a group of commands, and the line that help shows for it."""

    module: str
    """Name of a module that has a `typer.Typer` named `app`."""
    summary: str


class LightGroup(TyperGroup):
    """Group that parses without pydantic."""

    def get_help_option_names(self, ctx: Any) -> list[str]:
        """Return the names in their order; typer's order is that of a set."""
        return [*ctx.help_option_names]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the options of the group."""
        parse_lightly(self.get_params(ctx))
        return super().parse_args(ctx, args)


class LazyGroup(LightGroup):
    """Group that lists its commands without their imports; a subclass sets `table`."""

    table: Mapping[str, Lazy] = {}

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**attributes)
        self.commands = _LazyCommands(self.table)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        """Write a line per command."""
        with self._summaries():
            super().format_commands(ctx, formatter)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """Return the completions of a command's name."""
        with self._summaries():
            return super().shell_complete(ctx, incomplete)

    @contextmanager
    def _summaries(self) -> Iterator[None]:
        """Replace the commands by ones that have a name and a summary only."""
        commands = self.commands
        self.commands = {name: TyperCommand(name, short_help=lazy.summary) for name, lazy in self.table.items()}
        try:
            yield
        finally:
            self.commands = commands


class _LazyCommands(MutableMapping[str, Any]):
    """Commands by name, each imported at its first use."""

    def __init__(self, table: Mapping[str, Lazy]) -> None:
        self._table = table
        self._loaded: dict[str, Any] = {}

    def __getitem__(self, name: str) -> Any:
        if name not in self._loaded:
            module = import_module(self._table[name].module)
            command = get_command(cast("typer.Typer", module.app))
            command.name = name
            self._loaded[name] = command
        return self._loaded[name]

    def __setitem__(self, name: str, command: Any) -> None:
        self._loaded[name] = command

    def __delitem__(self, name: str) -> None:
        del self._loaded[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._table)

    def __len__(self) -> int:
        return len(self._table)
