"""Consoles for tables on stdout, and for progress on stderr."""

from rich.console import Console

# No markup: paths and messages contain brackets and colons.
out = Console(highlight=False, markup=False, emoji=False)
err = Console(stderr=True, highlight=False, markup=False, emoji=False)
