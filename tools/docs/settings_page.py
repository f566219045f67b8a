"""Reference of the settings, from `dataflows.settings.Settings`."""

from typing import Any, get_type_hints

from dataflows.setting import allowed_values
from dataflows.setting_sources import file_variable_of, variable_of
from dataflows.settings import GROUPS, Settings, default_of, descriptions
from tools.docs.markdown import code, paragraph, table

_HEADINGS = ["setting", "option, variable", "default", "allowed", "meaning"]


def settings_page(flags: dict[str, str]) -> str:
    """Return the page; `flags` has the option of each setting on the command line."""
    annotations = get_type_hints(Settings)
    parts = [_INTRODUCTION]
    for group in GROUPS:
        names = [name for name, setting in descriptions().items() if setting.group == group]
        rows = [_row(name, flags.get(name, ""), annotations[name]) for name in names]
        parts.append(f"## {group}\n\n" + table(_HEADINGS, rows))
    return "\n".join(parts)


def _row(name: str, flag: str, annotation: Any) -> list[str]:
    setting = descriptions()[name]
    variable = "" if setting.is_table else variable_of(name)
    file_variable = file_variable_of(name) if setting.is_secret else ""
    given_by = "<br>".join(map(code, filter(None, [flag, variable, file_variable])))
    default = setting.default or (code(default_of(name)) if default_of(name) else "off")
    unit = f" ({code(setting.metavar)})" if setting.metavar else ""
    allowed = allowed_values(annotation, setting) + unit
    return [code(setting.shown(name)), given_by, default, allowed, paragraph(setting.help)]


_INTRODUCTION = """# Settings

This page is generated from `dataflows.settings.Settings`.

A setting has three sources.
An option of the command line outranks the environment variable, and the variable outranks the file.
The file is `tacit.toml` in the working folder, or the file that `--config` or `TACIT_CONFIG` names.
Its keys are the names of the first column: `kafka.username` is `username` in the table `[kafka]`.
A secret may be in a file: its variable with `_FILE` behind the name, or its key with `_file`, has the path.
The start of a command reports all problems at once and ends with status 2.
A mistyped variable `TACIT_…` is a problem, too: its text has the nearest name.

"""
