"""Command `tacit token`."""

import os
import re
from contextlib import suppress
from pathlib import Path
from time import time_ns
from typing import Annotated

import msgspec
import typer

from connectors.files.appending import append_lines
from dataflows.service_settings import SERVICE
from tacit.errors import ConfigurationError
from tacit_cli.command import command, new_app
from tacit_cli.invocation import Invocation
from tacit_service.access.callers import PAGE_USER, SCOPES, Scope
from tacit_service.access.key_file import NAME, hashed, new_key, read_keys

app = new_app()

_DAY_MS = 86_400_000
_MOST_DAYS = 36_500

Scopes = Annotated[
    str,
    typer.Option("--scope", metavar="SCOPE[,SCOPE]", help=f"Scopes: {', '.join(SCOPES)}.", rich_help_panel=SERVICE),
]
Days = Annotated[
    float | None,
    typer.Option("--days", metavar="DAYS", help="Lifetime.", show_default="no end", rich_help_panel=SERVICE),
]


@command(
    app,
    "tacit token assistant --keys keys.jsonl",
    "tacit token support --keys keys.jsonl --scope manage,export --days 90",
    settings=("keys",),
    texts={"keys": ("File that gets the hash of the key.", "required")},
    fails_if="the file cannot be written",
)
def token(
    invocation: Invocation,
    name: Annotated[str, typer.Argument(metavar="NAME", help="Name of the holder, in logs and in the audit.")],
    scope: Scopes = "choose,send",
    days: Days = None,
) -> None:
    """Make a key for an assistant or an operator.

    The key is printed once, and the file gets its hash. A running service reads the file again within a second. To
    take a key back, delete its line.
    """
    settings = invocation.settings(needs_secret=False)
    if settings.keys is None:
        raise ConfigurationError(["keys: is required; name the file of the service by --keys FILE"])
    key = new_key()
    line = hashed(key, _name(name), _scopes(scope), None if days is None else _end_ms(days))
    _append(settings.keys, msgspec.json.encode(line), line.name)
    document = {"name": line.name, "key": key, "scopes": line.scopes, "not_after_ms": line.not_after_ms}
    invocation.output.print(document, lambda: key)


def _name(text: str) -> str:
    if not re.fullmatch(NAME, text):
        raise ConfigurationError(["name: must have 1 to 64 of the characters A-Z, a-z, 0-9, _, . and -"])
    if text == PAGE_USER:
        raise ConfigurationError([f"name: {PAGE_USER} is the name of page users in the audit; take another"])
    return text


def _end_ms(days: float) -> int:
    if not 0 < days <= _MOST_DAYS:
        raise ConfigurationError([f"days: must be above 0, and at most {_MOST_DAYS}; without it the key has no end"])
    return time_ns() // 1_000_000 + round(days * _DAY_MS)


def _scopes(text: str) -> list[Scope]:
    names = [name.strip() for name in text.split(",")]
    if unknown := [name for name in names if name not in SCOPES]:
        raise ConfigurationError([f"scope: {name!r} is no scope; allowed are {', '.join(SCOPES)}" for name in unknown])
    return [scope for scope in SCOPES if scope in names]


def _append(path: Path, line: bytes, name: str) -> None:
    if path.exists() and name in {caller.name for _, caller in read_keys(path)}:
        raise ConfigurationError([f"name: {name} is in {path} already; take another, or delete its line"])
    if not path.exists():
        with suppress(OSError):  # the append has the error
            os.close(os.open(path, os.O_CREAT | os.O_WRONLY, 0o600))
    append_lines(path, [line])
