"""Options of commands, derived from the table of settings."""

from collections.abc import Iterable, Mapping
from inspect import Parameter
from typing import Annotated, Any

import typer

from dataflows.setting import Setting
from dataflows.setting_sources import DEFAULT_CONFIG
from dataflows.settings import OUTPUT, RUNNING, default_of, descriptions

Texts = Mapping[str, tuple[str, str]]
"""By name of a setting: help and default that differ in one command."""


def setting_options(names: Iterable[str], texts: Texts, hidden: Iterable[str] = ()) -> list[Parameter]:
    """Return an option per setting; a name is a setting's, or a group's for all its settings."""
    wanted, unseen = set(names), set(hidden)
    return [
        _option(name, setting, *texts.get(name, (setting.help, default_of(name))), hidden=name in unseen)
        for name, setting in descriptions().items()
        if setting.is_flag and wanted & {name, setting.group}
    ]


def common_options(*, has_result: bool) -> list[Parameter]:
    """Return the options of all commands that use settings."""
    config_option = typer.Option(
        "--config",
        metavar="FILE",
        help="TOML file with settings.",
        show_default=f"{DEFAULT_CONFIG} if it exists",
        rich_help_panel=RUNNING,
    )
    json_help = "Print the result and errors as JSON." if has_result else "Print errors as JSON."
    quiet_help = "Print errors only: no progress, and no result except with --json."
    json = Annotated[bool, typer.Option("--json", help=json_help, rich_help_panel=OUTPUT)]
    quiet = Annotated[bool, typer.Option("--quiet", help=quiet_help, rich_help_panel=OUTPUT)]
    return [
        _parameter("config", Annotated[str | None, config_option], None),
        _parameter("json", json, False),
        _parameter("quiet", quiet, False),
    ]


def _option(name: str, setting: Setting, text: str, default: str, *, hidden: bool) -> Parameter:
    flag = f"--{name.replace('_', '-')}"
    kind: Any = list[str] if setting.is_list else str if setting.metavar else bool
    option = typer.Option(
        flag,
        metavar=setting.metavar or None,
        help=text,
        show_default=default or False,
        rich_help_panel=setting.group,
        hidden=hidden,
    )
    return _parameter(name, Annotated[kind | None, option], None)


def _parameter(name: str, annotation: Any, default: object) -> Parameter:
    return Parameter(name, Parameter.KEYWORD_ONLY, default=default, annotation=annotation)
