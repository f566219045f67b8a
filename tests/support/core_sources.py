"""Plugin of pytest, and import hook: the core runs from its sources, although it is compiled.

python -m pytest -p tests.support.core_sources tests/state
"""

import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType

COMPILED_PACKAGE = "state."


class Sources(MetaPathFinder):
    """Finds the `.py` file of a module where an extension module would win."""

    def find_spec(self, name: str, path: Sequence[str] | None, _: ModuleType | None = None) -> ModuleSpec | None:
        """Return the module's file; None for other packages, and for packages themselves."""
        if not name.startswith(COMPILED_PACKAGE):
            return None
        files = (Path(folder) / f"{name.rpartition('.')[2]}.py" for folder in path or ())
        file = next((file for file in files if file.is_file()), None)
        return None if file is None else spec_from_file_location(name, file)


sys.meta_path.insert(0, Sources())
