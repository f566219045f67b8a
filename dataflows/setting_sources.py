"""Sources of settings: flags, environment variables and one TOML file."""

import os
import re
import tomllib
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from tacit.errors import ConfigurationError

PREFIX = "TACIT_"
CONFIG_VARIABLE = "TACIT_CONFIG"
"""Name of the TOML file; without it `tacit.toml` in the working folder is read if it exists."""
DEFAULT_CONFIG = Path("tacit.toml")
OTHER_VARIABLES = frozenset(
    {
        CONFIG_VARIABLE,
        "TACIT_NEW_SECRET",  # of `tacit state rotate-secret`
        "TACIT_AUDITOR_PASSWORD",
        "TACIT_READER_PASSWORD",
        "TACIT_WRITER_PASSWORD",
        "TACIT_COMPILE",  # of the build
        "TACIT_ORACLE_STREAMS",  # of the tests
        "TACIT_REQUIRE_KAFKA",  # of the tests
        "TACIT_TEST_KAFKA",  # of the tests
    }
)
"""Variables with the prefix of settings that are none."""

# Kubernetes sets these for each service, also for one named tacit or tacit-worker.
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
_SERVICE_VARIABLE = re.compile(r"TACIT_(\w+_)?(SERVICE_HOST|SERVICE_PORT(_\w+)?|PORT(_\d+_(TCP|UDP|SCTP)(_\w+)?)?)")


def variable_of(name: str) -> str:
    """Return the environment variable of a setting.

    >>> variable_of("checkpoint_every")
    'TACIT_CHECKPOINT_EVERY'
    """
    return PREFIX + name.upper()


def read_settings(
    names: Collection[str], flags: Mapping[str, Any], config: Path | None
) -> tuple[dict[str, Any], list[str]]:
    """Return values by name of the setting, the first source that has one first, and the problems.

    An empty variable counts as not set.

    Raises:
        ConfigurationError: the file is missing, or is not TOML.
    """
    variables = {name: os.environ[variable_of(name)] for name in names if os.environ.get(variable_of(name))}
    file = _read_file(config)
    given = {name: value for name, value in flags.items() if value is not None and value != []}
    problems = [_unknown(name, names) for name in (*given, *file) if name not in names] + _unknown_variables(names)
    known = {name: value for name, value in file.items() if name in names}
    return known | variables | {name: value for name, value in given.items() if name in names}, problems


_SIMILAR = 0.75
"""Least similarity, 0–1, of a suggested name."""


def _unknown(name: str, names: Collection[str]) -> str:
    return f"{name}: is not a setting; {_nearest(name, names)}, or remove it"


def _unknown_variables(names: Collection[str]) -> list[str]:
    """Return a problem per variable that looks like a setting: a mistyped name must not mean the default."""
    known = {variable_of(name) for name in names} | OTHER_VARIABLES
    return [
        f"{variable}: is not a variable of Tacit; {_nearest(variable.upper(), known)}, or unset it"
        for variable, value in sorted(os.environ.items())
        if value and variable.upper().startswith(PREFIX) and variable not in known
        if not _SERVICE_VARIABLE.fullmatch(variable)
    ]


def _nearest(name: str, names: Collection[str]) -> str:
    """Return advice: the most similar name, if one is similar."""
    nearest = get_close_matches(name, sorted(names), n=1, cutoff=_SIMILAR)
    return f"use {nearest[0]}" if nearest else "correct the name (`tacit run --help` lists the settings)"


def _read_file(config: Path | None) -> dict[str, Any]:
    named = os.environ.get(CONFIG_VARIABLE)
    path = config or (Path(named) if named else DEFAULT_CONFIG)
    origin = "--config" if config else CONFIG_VARIABLE if named else ""
    if not path.is_file():
        if origin:
            raise ConfigurationError([f"config: {origin} names {path}, which is not a file; correct the path"])
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError([f"config: {path} is not a TOML file: {error}"]) from error
