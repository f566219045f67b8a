"""Reference of the settings, from `dataflows.settings.Settings`."""

from pydantic import SecretStr
from pydantic_core import PydanticUndefined

from dataflows.settings import Settings
from tools.docs.markdown import code, member_texts, paragraph, table

PREFIX = Settings.model_config.get("env_prefix", "")


def variable_of(setting: str) -> str:
    """Return the environment variable of a setting.

    >>> variable_of("log_level")
    'TACIT_LOG_LEVEL'
    """
    return f"{PREFIX}{setting}".upper()


def default_of(setting: str) -> str:
    """Return the default of a setting as a page shows it; empty if there is none."""
    default = Settings.model_fields[setting].get_default(call_default_factory=False)
    match default:
        case None:
            return ""
        case SecretStr():
            return code(default.get_secret_value())
        case bool():
            return code("on" if default else "off")
        case _ if default is PydanticUndefined:
            return ""
        case _ if hasattr(default, "name") and hasattr(default, "is_file"):
            return f"the package's {code(default.name)}" if default.is_absolute() else code(default)
        case _:
            return code(default)


def settings_page(helps: dict[str, str], flags: dict[str, str]) -> str:
    """Return the page; `helps` and `flags` are the help and the option of each setting on the command line."""
    texts = member_texts(Settings)
    rows = []
    for name, field in Settings.model_fields.items():
        text = field.description or texts.get(name) or helps.get(name)
        given_by = "<br>".join(map(code, filter(None, [flags.get(name), variable_of(name)])))
        rows.append([code(name), given_by, default_of(name), paragraph(text)])
    return _INTRODUCTION + table(["setting", "option, variable", "default", "meaning"], rows)


_INTRODUCTION = """# Settings

This page is generated from `dataflows.settings.Settings`.

A setting has three sources.
An option of the command line outranks the environment variable, and the variable outranks the file.
The file is `tacit.toml` in the working folder, or the file that `TACIT_CONFIG` names.
Its keys are the names of the first column.
The start of a command reports all problems at once and ends with status 2.

"""
