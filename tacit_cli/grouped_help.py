"""Help of a command, with its options in groups."""

import gc
from collections import defaultdict
from typing import Any

from typer.core import TyperArgument, TyperCommand

from dataflows.setting_sources import CONFIG_VARIABLE, variable_of
from dataflows.settings import GROUPS, descriptions
from tacit_cli.light_parsing import parse_lightly
from tacit_cli.optional_value import fill_in

_ARGUMENTS, _OTHER, _HELP = "Arguments", "Options", "Help"
_VARIABLES = {"config": CONFIG_VARIABLE}


class GroupedCommand(TyperCommand):
    """Command whose help lists arguments, then options by group, with default and variable."""

    def get_help_option_names(self, ctx: Any) -> list[str]:
        """Return the names in their order; typer's order is that of a set."""
        return [*ctx.help_option_names]

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse arguments and options."""
        parse_lightly(self.get_params(ctx))
        return super().parse_args(ctx, fill_in(args))

    def invoke(self, ctx: Any) -> Any:
        """Run the command, with the garbage collection that is off during imports."""
        gc.enable()
        return super().invoke(ctx)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words of the usage line."""
        return ["[OPTIONS]", *(_usage(each) for each in self.get_params(ctx) if isinstance(each, TyperArgument))]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write a section per group, in the order of `GROUPS`."""
        sections: defaultdict[str, list[tuple[str, str]]] = defaultdict(list)
        for parameter in self.get_params(ctx):
            sections[_heading(parameter)].append(_record(parameter))
        for heading in (_ARGUMENTS, _OTHER, *GROUPS, _HELP):
            if heading in sections:
                with formatter.section(heading):
                    formatter.write_dl(sections[heading])

    def format_epilog(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002  # typer passes it
        """Write examples and exit status as they are, without wrapping lines."""
        for line in ("", *(self.epilog or "").splitlines()):
            formatter.write(f"{line}\n")


def _heading(parameter: Any) -> str:
    if isinstance(parameter, TyperArgument):
        return _ARGUMENTS
    return _HELP if "--help" in parameter.opts else parameter.rich_help_panel or _OTHER


def _usage(argument: TyperArgument) -> str:
    name = (argument.metavar or argument.name) + ("..." if argument.nargs != 1 else "")
    return name if argument.required else f"[{name}]"


def _record(parameter: Any) -> tuple[str, str]:
    """Return the two columns of a parameter."""
    if isinstance(parameter, TyperArgument):
        return _usage(parameter), parameter.help or ""
    flags = ", ".join(parameter.opts)
    notes = "; ".join(_notes(parameter))
    text = f"{parameter.help} [{notes}]" if notes else parameter.help
    return flags if parameter.is_flag else f"{flags} {parameter.metavar}", text


def _notes(option: Any) -> list[str]:
    default = option.show_default if isinstance(option.show_default, str) else option.default
    notes = []
    if option.required or default == "required":
        notes.append("required")
    elif not option.is_flag and default is not None:
        notes.append(f"default: {default}")
    if variable := _VARIABLES.get(option.name) or (option.name in descriptions() and variable_of(option.name)):
        notes.append(variable)
    return notes


def epilog(examples: tuple[str, ...], fails_if: str, wrong_if: str = "wrong usage or configuration") -> str:
    """Return the text under the options of a command."""
    lines = ["Example:" if len(examples) == 1 else "Examples:", *(f"  $ {example}" for example in examples), ""]
    return "\n".join([*lines, "Exit status:", "  0  done", f"  1  {fails_if}", f"  2  {wrong_if}"])
