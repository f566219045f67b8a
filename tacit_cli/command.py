"""Decorator that makes a function a command, with options from the table of settings."""

from collections.abc import Callable, Iterable
from inspect import Parameter, Signature, getdoc, signature
from pathlib import Path
from typing import Any, Concatenate, ParamSpec

import typer

from tacit_cli.grouped_help import GroupedCommand, epilog
from tacit_cli.invocation import Invocation
from tacit_cli.lazy_group import LightGroup
from tacit_cli.options import Texts, common_options, setting_options
from tacit_cli.output import Output

P = ParamSpec("P")
Function = Callable[Concatenate[Invocation, P], None]


def new_app(name: str | None = None, summary: str | None = None) -> typer.Typer:
    """Return an empty application; with a name, a group of commands."""
    return typer.Typer(
        cls=LightGroup,
        name=name,
        help=summary,
        no_args_is_help=name is not None,
        add_completion=False,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    )


def command(
    app: typer.Typer,
    *examples: str,
    settings: Iterable[str] = (),
    texts: Texts | None = None,
    hidden: Iterable[str] = (),
    fails_if: str = "the work failed",
    wrong_if: str = "wrong usage or configuration",
    has_result: bool = True,
) -> Callable[[Function[P]], Function[P]]:
    """Add a function to an application, as a command of the same name; a last underscore is no part of it.

    The function gets an `Invocation`, then its own arguments and options as keywords.

    Args:
        app: application or group.
        examples: command lines for help.
        settings: names of settings and of groups of settings that become options.
        texts: help and default of settings that mean something else in this command.
        hidden: names of settings whose flag the command refuses with a hint, and so does not show.
        fails_if: condition of exit status 1.
        wrong_if: condition of exit status 2.
        has_result: False if the command prints nothing on stdout.
    """

    def register(function: Function[P]) -> Function[P]:
        own = _own_parameters(function)
        flags = setting_options(settings, texts or {}, hidden)

        def callback(**given: Any) -> None:
            config = Path(given["config"]) if given["config"] else None
            output = Output(given["json"], given["quiet"])
            invocation = Invocation({flag.name: given[flag.name] for flag in flags}, config, output)
            function(invocation, **{each.name: given[each.name] for each in own})  # type: ignore[call-arg]  # by name

        _take_parameters(callback, [*own, *flags, *common_options(has_result=has_result)])
        text = getdoc(function) or ""
        app.command(
            function.__name__.rstrip("_").replace("_", "-"),
            cls=GroupedCommand,
            help=text,
            short_help=text.partition("\n")[0],
            epilog=epilog(examples, fails_if, wrong_if),
        )(callback)
        return function

    return register


def _own_parameters(function: Callable[..., None]) -> list[Parameter]:
    _, *own = signature(function).parameters.values()
    return [parameter.replace(kind=Parameter.KEYWORD_ONLY) for parameter in own]


def _take_parameters(function: Callable[..., None], parameters: list[Parameter]) -> None:
    """Make typer read these parameters from a function that takes any."""
    function.__signature__ = Signature(parameters)  # type: ignore[attr-defined]  # inspect.signature reads it
    function.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
