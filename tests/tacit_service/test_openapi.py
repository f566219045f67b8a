"""The published OpenAPI document: as the code makes it, whole, and true."""

import json
import re
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from tacit_service.app import operations
from tacit_service.http.problems import KINDS
from tacit_service.openapi import FILE, text
from tests.support.pages import ROOT

DOCUMENT: dict[str, Any] = json.loads(text())
OPERATIONS = [
    (path, method, operation) for path, methods in DOCUMENT["paths"].items() for method, operation in methods.items()
]


def test_file_is_the_document_of_the_code() -> None:
    """After a change of an operation, `make schemas` writes the file."""
    file = ROOT / "docs" / "reference" / FILE
    assert file.read_text(encoding="utf-8") == text(), f"{file} is stale: make schemas"


def test_every_operation_is_in_the_document() -> None:
    """With a scope, unless it is open to all."""
    found = {(each.path, each.method.lower()): each for each in operations()}
    assert len(found) == len(operations()) == len(OPERATIONS)
    for path, method, operation in OPERATIONS:
        has_token = found[path, method].scope is not None
        assert ("security" in operation) == has_token
        assert ("401" in operation["responses"]) == has_token
        assert operation["summary"]
        assert operation["description"]


def test_names_of_operations_are_unique() -> None:
    """Generated clients make a function of each."""
    names = [operation["operationId"] for _, _, operation in OPERATIONS]
    assert len(set(names)) == len(names)


def test_names_of_components_are_plain() -> None:
    """Two types of one name would get names with modules, which are no part of the API."""
    assert not [name for name in DOCUMENT["components"]["schemas"] if not re.fullmatch("[A-Za-z]+", name)]


def test_references_and_schemas_are_valid() -> None:
    """Each reference has a component, and each component is a JSON Schema."""
    components = DOCUMENT["components"]["schemas"]
    references = set(re.findall(r'"#/components/schemas/([^"]+)"', text()))
    assert references <= set(components)
    for schema in components.values():
        Draft202012Validator.check_schema(schema)
    assert not re.search(r"\\\\Z", text()), "patterns of Python are no patterns of ECMA-262"


@pytest.mark.parametrize("kind", KINDS)
def test_problem_is_described_in_the_guide(kind: str) -> None:
    """With status and remedy."""
    guide = (ROOT / "docs" / "guides" / "service.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| `/problems/{kind}` \| {KINDS[kind].status} \| \S.* \|$", guide, re.MULTILINE)


def test_path_parameters_are_listed() -> None:
    """Each name in braces is a parameter of the path."""
    for path, _, operation in OPERATIONS:
        named = [each["name"] for each in operation["parameters"] if each["in"] == "path"]
        assert named == re.findall(r"{(\w+)}", path)
