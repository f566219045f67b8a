"""State that a command reads: a state folder, or a cut in object storage."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from dataflows.cut_settings import CUTS
from dataflows.cuts.bucket import open_bucket
from dataflows.cuts.cut import Cut
from dataflows.cuts.reading import fetched
from dataflows.inspection import Inspected, inspect
from dataflows.settings import Settings
from state.catalogue.numbered import NumberedCatalogue
from tacit.errors import ConfigurationError
from tacit_cli.invocation import Invocation

FOLDER_TEXTS = {"state": ("State folder to read.", "required")}
"""Help of `--state` in commands that read a state folder."""
READ_SETTINGS = ("state", "checkpoints", "region", "namespace")
READ_TEXTS = {
    "state": ("State folder to read.", "required without --checkpoints"),
    "checkpoints": ("Object storage to read in place of a state folder.", "none"),
    "region": ("Region of the cut.", "eu"),
    "namespace": ("Namespace of the cut.", "live"),
}
"""Help of the settings of commands that read a state folder or a cut."""

Savepoint = Annotated[
    str | None,
    typer.Option(
        "--from", metavar="NAME", help="Savepoint of --checkpoints to read.", show_default="newest cut",
        rich_help_panel=CUTS,
    ),
]  # fmt: skip


@dataclass(frozen=True, slots=True)
class Source:
    """Folder to read, and the cut of its files."""

    path: Path
    cut: Cut | None = None
    """None for a state folder."""
    complete: Callable[[list[int] | None], None] = lambda _: None
    """Fetches the tables of some shards; None: of all."""


def required_folder(settings: Settings) -> Path:
    """Return the path of the state folder.

    Raises:
        ConfigurationError: the settings name none.
    """
    if settings.state is None:
        raise ConfigurationError(["state: is required; name the state folder by --state DIR"])
    return settings.state


def inspected(settings: Settings, source: Source | None = None) -> Inspected:
    """Return the state folder of a source, or of the settings, with the catalogue of the settings.

    Raises:
        ConfigurationError: the settings name no folder.
        StateError: the folder cannot be read.
    """
    return inspect(source.path if source else required_folder(settings), NumberedCatalogue.load(settings.catalogue))


@contextmanager
def source_of(invocation: Invocation, settings: Settings, savepoint: str | None) -> Iterator[Source]:
    """Yield the state folder of the settings, or a cut in a temporary folder.

    A flag outweighs a variable and the file, which may name both for `tacit run`; then the folder is read.

    Raises:
        ConfigurationError: both are given as flags, or a savepoint without object storage, or neither.
        StateError: there is no such cut, or it is damaged.
        TacitError: the errors of `ObjectStore`.
    """
    has_folder, has_url = (invocation.flags.get(name) is not None for name in ("state", "checkpoints"))
    if has_folder and has_url:
        raise ConfigurationError(["checkpoints: is read in place of --state; leave one of the two out"])
    is_url = not has_folder and (has_url or bool(savepoint) or settings.state is None)
    if savepoint and (not is_url or settings.checkpoints is None):
        raise ConfigurationError(["from: is a savepoint of --checkpoints URL; give it in place of --state"])
    if not is_url or settings.checkpoints is None:
        yield Source(required_folder(settings))
        return
    with fetched(open_bucket(settings), savepoint) as found:
        yield Source(found.folder, found.cut, found.complete)
