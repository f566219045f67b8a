"""tacit: the public names are what can be imported, sorted and documented, and enough for a custom deployment."""

import inspect
import subprocess
import sys
from types import ModuleType

import pytest

import tacit

FOR_A_CUSTOM_DEPLOYMENT = {
    "Catalogue",
    "CatalogueError",
    "ConfigurationError",
    "Profile",
    "Signal",
    "Status",
    "TacitError",
}


def test_all_lists_each_public_name_in_order() -> None:
    public = [name for name in dir(tacit) if not name.startswith("_") and not _is_module(name)]
    assert tacit.__all__ == sorted(public)


def _is_module(name: str) -> bool:
    return isinstance(getattr(tacit, name), ModuleType)


def test_custom_deployment_finds_all_it_needs() -> None:
    """A catalogue of its own, errors, results, keys and pseudonyms."""
    assert set(tacit.__all__) >= FOR_A_CUSTOM_DEPLOYMENT


@pytest.mark.parametrize("name", tacit.__all__)
def test_public_name_is_documented(name: str) -> None:
    """By its own docstring, or in the package's."""
    own = getattr(tacit, name)
    documented = inspect.getdoc(own) if inspect.isclass(own) or inspect.isfunction(own) else None
    assert documented or f"`{name}`" in (tacit.__doc__ or "")


def test_import_of_the_package_loads_no_client_of_redis() -> None:
    """The first reader imports redis-py; events and catalogues need none."""
    code = "import sys, tacit; print('redis' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"
