"""Reference of the command line, from the commands themselves."""

import inspect
from collections.abc import Iterator, Mapping
from itertools import groupby
from typing import Any, NamedTuple

import typer
import typer.main
from typer.core import TyperArgument, TyperGroup, TyperOption

from dataflows.setting_sources import CONFIG_VARIABLE, variable_of
from dataflows.settings import descriptions
from tacit_cli.app import app
from tools.docs.markdown import code, table

ROOT = "tacit"


class Command(NamedTuple):
    """A command: its words on the command line, help, usage and parameters."""

    name: str
    help: str
    epilog: str
    usage: str
    arguments: tuple[TyperArgument, ...]
    options: tuple[TyperOption, ...]


def commands() -> list[Command]:
    """Return the program itself and every command, those of groups included."""
    return list(_commands(typer.main.get_command(app), ROOT, None))


def _commands(command: Any, name: str, parent: typer.Context | None) -> Iterator[Command]:
    """Yield a command and those below it; typer keeps the base class of its commands private."""
    context = typer.Context(command, info_name=name.rpartition(" ")[2], parent=parent)
    parameters = [parameter for parameter in command.params if not getattr(parameter, "hidden", False)]
    yield Command(
        name,
        inspect.cleandoc(command.help or ""),
        inspect.cleandoc(command.epilog or ""),
        " ".join([name, *context.command.collect_usage_pieces(context)]),
        tuple(each for each in parameters if isinstance(each, TyperArgument)),
        tuple(each for each in parameters if isinstance(each, TyperOption)),
    )
    if isinstance(command, TyperGroup):
        for each in command.list_commands(context):
            found = command.get_command(context, each)
            if found is not None and not found.hidden:
                yield from _commands(found, f"{name} {each}", context)


def setting_options() -> Mapping[str, TyperOption]:
    """Return the option of each setting that has one."""
    found: dict[str, TyperOption] = {}
    for command in commands():
        for option in command.options:
            if option.name in descriptions():
                found.setdefault(option.name, option)
    return found


def cli_page() -> str:
    """Return the page."""
    root, *others = commands()
    listed = [[f"[{code(each.name)}](#{each.name.replace(' ', '-')})", _summary(each)] for each in others]
    sections = [_section(each) for each in others]
    return "\n".join([_INTRODUCTION, table(["command", "purpose"], listed), _options(root, 2), *sections])


def _summary(command: Command) -> str:
    return command.help.split("\n\n")[0]


def _section(command: Command) -> str:
    parts = [f"## `{command.name}` {{ #{command.name.replace(' ', '-')} }}", command.help]
    parts += [f"```text\n{command.usage}\n```"]
    if command.arguments:
        rows = [[code(_metavar(each)), each.help or ""] for each in command.arguments]
        parts.append(table(["argument", "meaning"], rows))
    parts.append(_options(command, 3))
    if command.epilog:
        parts.append(command.epilog)
    return "\n\n".join(filter(None, parts)) + "\n"


def _options(command: Command, level: int) -> str:
    """Return a table of options for each subject, in the order of the command's help."""
    if not command.options:
        return ""
    parts = []
    subjects = list(dict.fromkeys(each.rich_help_panel or "" for each in command.options))
    ordered = sorted(command.options, key=lambda each: subjects.index(each.rich_help_panel or ""))
    for subject, options in groupby(ordered, lambda each: each.rich_help_panel or ""):
        rows = [_option_row(each) for each in options]
        heading = f"{'#' * level} {subject} {{ .options }}\n\n" if subject else ""
        parts.append(heading + table(["option, variable", "default", "meaning"], rows))
    return "\n".join(parts)


def _option_row(option: TyperOption) -> list[str]:
    name = option.name or ""
    value = "" if option.is_flag else f" {_metavar(option)}"
    flags = ", ".join(code(each + value) for each in (*option.opts, *option.secondary_opts))
    variable = CONFIG_VARIABLE if name == "config" else variable_of(name) if name in descriptions() else ""
    return ["<br>".join(filter(None, [flags, code(variable)])), _default(option), option.help or ""]


def _metavar(parameter: TyperOption | TyperArgument) -> str:
    return parameter.metavar or (parameter.name or "").upper()


def _default(option: TyperOption) -> str:
    if option.required:
        return "required"
    if isinstance(option.show_default, str):
        return option.show_default
    if option.is_flag or option.default is None or callable(option.default):
        return ""
    return code(option.default)


_INTRODUCTION = """# Command line

This page is generated from the commands; `tacit COMMAND --help` shows the same.
Results go to stdout, progress and problems to stderr.
With `--json` a command prints one JSON document.

| exit status | meaning |
|---|---|
| 0 | The work is done. |
| 1 | The work failed, was stopped before the end, or found a difference or a problem. |
| 2 | The usage or the configuration is wrong; nothing was started. Of `tacit diff` and `tacit parity`: any error. |
| 128 + n | Signal n ended the command; 130 after Ctrl-C. |

"""
