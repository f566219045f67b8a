"""Invocation of a command: its flags, its settings, and the output that it makes."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dataflows.settings import Settings, load
from tacit_cli.output import Output


@dataclass(frozen=True, slots=True)
class Invocation:
    """Flags of one command, and its output."""

    flags: Mapping[str, Any]
    """Values by name of the setting; None: the flag is absent."""
    config: Path | None
    output: Output

    def settings(self, *, needs_secret: bool = True) -> Settings:
        """Return the settings from all sources; without `needs_secret`, a stand-in replaces a missing secret."""
        return load(self.flags, self.config, needs_secret=needs_secret)
