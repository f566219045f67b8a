"""The reference shares nothing with the product that may change inside."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

SHARED = (
    "state.catalogue.",
    "state.counters",
    "state.events.",
    "state.learning.population_prior",
    "state.learning.population_version",
    "state.learning.probit",
    "state.row.form",
    "state.user.rules",
    "tacit.contract.",
    "tests.reference",
)
PRODUCT = ("state", "operators", "connectors", "dataflows", "tacit", "tests")
MODULES = [path for path in sorted(Path(__file__).parent.glob("*.py")) if not path.name.startswith("test_")]


def imported(path: Path) -> Iterator[str]:
    """Yield the modules of the project that a file imports."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and node.module is not None:
            names = [node.module]
        yield from (name for name in names if name.split(".")[0] in PRODUCT)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: path.stem)
def test_reference_imports_what_stays(path: Path) -> None:
    """Only `product` knows the inside of the product."""
    assert path.stem == "product" or [name for name in imported(path) if not name.startswith(SHARED)] == []
