"""State folder that the settings of a command name."""

from pathlib import Path

from dataflows.inspection import Inspected, inspect
from dataflows.settings import Settings
from state.catalogue.numbered import NumberedCatalogue
from tacit.errors import ConfigurationError

FOLDER_TEXTS = {"state": ("State folder to read.", "required")}
"""Help of `--state` in commands that read a state folder."""


def required_folder(settings: Settings) -> Path:
    """Return the path of the state folder.

    Raises:
        ConfigurationError: the settings name none.
    """
    if settings.state is None:
        raise ConfigurationError(["state: is required; name the state folder by --state DIR"])
    return settings.state


def inspected(settings: Settings) -> Inspected:
    """Return the state folder, with the catalogue of the settings.

    Raises:
        ConfigurationError: the settings name no folder.
        StateError: the folder cannot be read.
    """
    return inspect(required_folder(settings), NumberedCatalogue.load(settings.catalogue))
