"""Versions of the installed distributions."""

import platform
from importlib.metadata import version


def versions() -> str:
    """Return one line with the versions of worker, client and Python."""
    names = ("tacit-worker", "tacit-signals")
    return ", ".join([*(f"{name} {version(name)}" for name in names), f"Python {platform.python_version()}"])
