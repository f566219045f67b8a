"""Versions of the installed distributions."""

import platform
from importlib.metadata import version

from state.row.form import COMPILED


def versions() -> str:
    """Return one line with the versions of worker, client and Python, and the form of the core."""
    names = ("tacit-worker", "tacit-signals")
    parts = [*(f"{name} {version(name)}" for name in names), f"Python {platform.python_version()}"]
    return ", ".join([*parts, f"core {core_form()}"])


def core_form() -> str:
    """Return the form in which the core runs."""
    return "compiled" if COMPILED else "uncompiled"
