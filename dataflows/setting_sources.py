"""Sources of settings: flags, environment variables and one TOML file."""

import os
import re
import stat
import tomllib
from collections.abc import Collection, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NamedTuple

from connectors.secret_files import read_secret
from dataflows.setting import Setting
from tacit.errors import ConfigurationError

PREFIX = "TACIT_"
CONFIG_VARIABLE = "TACIT_CONFIG"
"""Name of the TOML file; without it `tacit.toml` in the working folder is read if it exists."""
DEFAULT_CONFIG = Path("tacit.toml")
OTHER_VARIABLES = frozenset(
    {
        CONFIG_VARIABLE,
        "TACIT_NEW_SECRET",  # of `tacit state rotate-secret`
        "TACIT_NEW_SECRET_FILE",
        "TACIT_AUDITOR_PASSWORD",
        "TACIT_AUDITOR_PASSWORD_FILE",
        "TACIT_READER_PASSWORD",
        "TACIT_READER_PASSWORD_FILE",
        "TACIT_WRITER_PASSWORD",
        "TACIT_WRITER_PASSWORD_FILE",
        "TACIT_COMPILE",  # of the build
        "TACIT_ORACLE_STREAMS",  # of the tests
        "TACIT_REQUIRE_KAFKA",  # of the tests
        "TACIT_TEST_KAFKA",  # of the tests
        "TACIT_TEST_SCHEMA_REGISTRY",  # of the tests
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


def file_variable_of(name: str) -> str:
    """Return the environment variable with the path of a secret's file.

    >>> file_variable_of("secret")
    'TACIT_SECRET_FILE'
    """
    return f"{variable_of(name)}_FILE"


class Sources(NamedTuple):
    """Content of all sources."""

    values: dict[str, Any]
    """Values by name of the setting."""
    problems: list[str]
    cautions: list[str]
    """Risks that an operator should know."""


def read_settings(settings: Mapping[str, Setting], flags: Mapping[str, Any], config: Path | None) -> Sources:
    """Return values by name of the setting, of the first source that has one, with problems and cautions.

    An empty variable counts as not set.

    Raises:
        ConfigurationError: the file is missing, or is not TOML.
    """
    given = {name: value for name, value in flags.items() if value is not None and value != []}
    problems = [_unknown(name, settings) for name in given if name not in settings]
    path = _path(config)
    document = _flat(_parsed(path), _tables(settings))
    found = _of_file(document, settings, problems)
    cautions = _file_cautions(path, document, settings)
    problems += _unknown_variables(settings)
    found |= _of_variables(settings, problems)
    return Sources(found | {name: value for name, value in given.items() if name in settings}, problems, cautions)


def _file_cautions(path: Path | None, document: Mapping[str, Any], settings: Mapping[str, Setting]) -> list[str]:
    """Return a caution about a file with secrets that every user of the machine can read."""
    secrets = [
        setting.shown(name)
        for name, setting in settings.items()
        if setting.is_secret and (value := document.get(setting.shown(name))) and (name != "redis" or "@" in str(value))
    ]
    if path is None or not secrets or not path.stat().st_mode & stat.S_IROTH:
        return []
    advice = "chmod 600, or name a file per secret by its key with _file"
    return [f"{path} has secrets ({', '.join(secrets)}), and every user of the machine can read it: {advice}"]


def _of_variables(settings: Mapping[str, Setting], problems: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, setting in settings.items():
        value = os.environ.get(variable_of(name))
        path = os.environ.get(file_variable_of(name)) if setting.is_secret else None
        if value and path:
            problems.append(f"{variable_of(name)}: and {file_variable_of(name)} are both set; set one of them")
        elif path:
            _add_secret(found, name, path, file_variable_of(name), problems)
        elif value:
            found[name] = value
    return found


def _of_file(document: Mapping[str, Any], settings: Mapping[str, Setting], problems: list[str]) -> dict[str, Any]:
    """Return the values of the flat TOML file, with a problem per unknown key."""
    keys = {setting.shown(name): name for name, setting in settings.items()}
    secrets = {f"{setting.shown(name)}_file": name for name, setting in settings.items() if setting.is_secret}
    found: dict[str, Any] = {}
    for key, value in document.items():
        if key in keys:
            found[keys[key]] = value
        elif key in secrets:
            name = secrets[key]
            if not isinstance(value, str):
                problems.append(f"{key}: must be the path of a file")
            elif settings[name].shown(name) in document:
                problems.append(f"{key}: and {settings[name].shown(name)} are both set; set one of them")
            else:
                _add_secret(found, name, value, key, problems)
        else:
            problems.append(_unknown_key(key, [*keys, *secrets], _tables(settings)))
    return found


def _tables(settings: Mapping[str, Setting]) -> set[str]:
    return {setting.table for setting in settings.values() if setting.table}


def _flat(document: Mapping[str, Any], tables: Collection[str]) -> dict[str, Any]:
    """Return the keys of the tables of settings under `table.key`."""
    found: dict[str, Any] = {}
    for key, value in document.items():
        if key in tables and isinstance(value, dict):
            found |= {f"{key}.{inner}": each for inner, each in value.items()}
        else:
            found[key] = value
    return found


def _add_secret(found: dict[str, Any], name: str, path: str, origin: str, problems: list[str]) -> None:
    try:
        found[name] = read_secret(path, origin)
    except ConfigurationError as error:
        problems.extend(error.problems)


_SIMILAR = 0.75
"""Least similarity, 0–1, of a suggested name."""


def _unknown(name: str, names: Collection[str]) -> str:
    return f"{name}: is not a setting; {_nearest(name, names)}, or remove it"


def _unknown_key(key: str, known: Collection[str], tables: Collection[str]) -> str:
    table = key.partition(".")[0]
    if table not in tables or get_close_matches(key, known, n=1, cutoff=_SIMILAR):
        return _unknown(key, known)
    allowed = ", ".join(sorted(name.removeprefix(f"{table}.") for name in known if name.startswith(f"{table}.")))
    return f"{key}: is not a setting; [{table}] has {allowed}"


def _unknown_variables(settings: Mapping[str, Setting]) -> list[str]:
    """Return a problem per variable that looks like a setting: a mistyped name must not mean the default."""
    known = {variable_of(name) for name in settings} | OTHER_VARIABLES
    known |= {file_variable_of(name) for name, setting in settings.items() if setting.is_secret}
    return [
        f"{variable}: is not a variable of Tacit; {_nearest(variable.upper(), known)}, or unset it"
        for variable, value in sorted(os.environ.items())
        if value and variable.upper().startswith(PREFIX) and variable not in known
        if not _SERVICE_VARIABLE.fullmatch(variable)
    ]


def _nearest(name: str, names: Collection[str]) -> str:
    """Return advice: the most similar name, if one is similar."""
    bare = name[: -len("_file")] if name.lower().endswith("_file") else ""
    nearest = [bare] if bare in names else get_close_matches(name, sorted(names), n=1, cutoff=_SIMILAR)
    return f"use {nearest[0]}" if nearest else "correct the name (`tacit run --help` lists the settings)"


def _path(config: Path | None) -> Path | None:
    """Return the file of the settings; None: there is none.

    Raises:
        ConfigurationError: a file is named, and is missing.
    """
    named = os.environ.get(CONFIG_VARIABLE)
    path = config or (Path(named) if named else DEFAULT_CONFIG)
    origin = "--config" if config else CONFIG_VARIABLE if named else ""
    if not path.is_file():
        if origin:
            raise ConfigurationError([f"config: {origin} names {path}, which is not a file; correct the path"])
        return None
    return path


def _parsed(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError([f"config: {path} is not a TOML file: {error}"]) from error
