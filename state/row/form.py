"""The form in which the core runs: compiled (hatch_build.py), or as plain Python with the same results."""

from importlib.util import find_spec

_found = find_spec("state.row.row")

COMPILED = _found is not None and _found.origin is not None and not _found.origin.endswith(".py")
"""The core runs compiled."""
