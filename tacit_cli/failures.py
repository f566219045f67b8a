"""Errors of commands: text or JSON on stderr, and the exit status."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import typer

from tacit.errors import ConfigurationError, TacitError

FAILED, WRONG_USAGE = 1, 2


def report(error: TacitError, *, as_json: bool) -> int:
    """Print an error, and return the exit status: 2 for a configuration, 1 for anything else."""
    problems = error.problems if isinstance(error, ConfigurationError) else str(error).splitlines()
    if as_json:
        print_json_error(kind_of(error), problems)
    else:
        _print_problems(problems)
    return WRONG_USAGE if isinstance(error, ConfigurationError) else FAILED


@contextmanager
def errors_apart(*, as_json: bool) -> Iterator[None]:
    """Give every error status 2, as diff(1) does: status 1 of a comparison means a difference and nothing else."""
    try:
        yield
    except TacitError as error:
        report(error, as_json=as_json)
        raise typer.Exit(WRONG_USAGE) from error


def kind_of(error: TacitError) -> str:
    """Return the kind of an error, as JSON names it.

    >>> kind_of(ConfigurationError([])), kind_of(TacitError())
    ('configuration', 'failed')
    """
    return "failed" if type(error) is TacitError else type(error).__name__.removesuffix("Error").lower()


def print_json_error(kind: str, problems: Sequence[str]) -> None:
    """Print an error as one JSON document."""
    typer.echo(json.dumps({"error": {"kind": kind, "problems": list(problems)}}, ensure_ascii=False), err=True)


def _print_problems(problems: Sequence[str]) -> None:
    heading = f"tacit: {len(problems)} problems" if len(problems) > 1 else "tacit:"
    typer.secho(heading, err=True, fg="red", bold=True, nl=len(problems) > 1)
    for problem in problems:
        typer.echo(f"  - {problem}" if len(problems) > 1 else f" {problem}", err=True)
