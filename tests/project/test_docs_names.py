"""Pages name only what the code has: settings, metrics, reasons, options, files, modules and Python names."""

import ast
import importlib
import importlib.util
import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import get_args

import msgspec
import pytest

from dataflows.observability.metrics import CountersCollector
from dataflows.observability.watch import ProcessView
from dataflows.setting_sources import file_variable_of, variable_of
from dataflows.settings import descriptions
from state.catalogue.numbered import NumberedCatalogue
from state.counters import Counters, Outcome
from state.events.records import Reason
from tacit.contract import events
from tacit.contract.activity import Activity
from tacit.contract.signals import Profile, Session, Signal, Status
from tacit.openfeature import PROMPT_FLAG
from tacit.reader import adaptation
from tacit.testing import plugin
from tests.support.pages import PAGES, ROOT, Page
from tools.docs.cli_page import commands
from tools.docs.metrics_page import served_metrics
from tools.docs.pages import PAGES as GENERATED

CONTRACT = Page(ROOT / "docs/contract.md")
ROOMS = ("client", "connectors", "dataflows", "operators", "state", "tacit", "tacit_cli", "tacit_lab", "tacit_service")
FOLDERS = (*ROOMS, "benchmarks", "deploy", "docs", "examples", "tests", "tools")

FOREIGN_OPTIONS = {
    "--cluster": "redis-cli",
    "--describe": "kafka-consumer-groups.sh",
    "--from-file": "kubectl",
    "--global": "dotnet",
    "--hypothesis-profile": "pytest",
    "--language": "kiota",
    "--lost": "python -m benchmarks.takeover",
    "--openapi": "kiota",
    "--seeds": "python -m benchmarks.learning",
    "--strict": "mkdocs",
}
"""Options of other programs, which pages name."""
FOREIGN_NAMES = {
    "BaseAddress", "Classifier", "Connection.read_response", "DefaultRequestHeaders.Authorization", "HttpClient",
    "LifoQueue", "PropertyNamingPolicy", "RedisCluster",
}  # fmt: skip
"""Names of River, redis-py and .NET, which pages name."""
FIXTURES = {name for name in vars(plugin) if name.startswith("tacit_")}
"""Fixtures for tests of assistants, whose names look like those of metrics."""
FLAGS = {PROMPT_FLAG}
"""Flags of OpenFeature, whose names look like those of modules."""
OF_ASSISTANTS = {"tacit_reads_total"}
"""Metrics that assistants serve, as examples/assistant.py does."""


def _named(names: Iterable[str], text: str) -> set[str]:
    """Return those of `names` that stand in the text in quotes or as code."""
    return {name for name in names if re.search(rf'[`"]{re.escape(name)}[`"]', text)}


@pytest.mark.parametrize("model", ["Interaction", "Consent", "Pin", "Forget", "Feedback"])
def test_every_member_of_an_event_is_on_the_contract_page(model: str) -> None:
    """A member that the code accepts is documented."""
    names = _member_names(getattr(events, model))
    assert names
    assert _named(names, CONTRACT.text) == names


def _member_names(model: type) -> set[str]:
    if issubclass(model, msgspec.Struct):
        return set(model.__struct_encode_fields__)
    return {field.alias or name for name, field in vars(model)["__pydantic_fields__"].items()}


@pytest.mark.parametrize("struct", [Signal, Profile, Session, Activity, Status])
def test_every_member_of_a_signal_is_on_the_contract_page(struct: type[Signal]) -> None:
    """A member that the code writes is documented, under its name in Redis."""
    names = set(struct.__struct_encode_fields__)
    assert _named(names, CONTRACT.text) == names


def test_every_count_and_status_is_on_the_contract_page() -> None:
    """Outcomes, reject reasons and reader statuses are all documented."""
    names = {*map(str, Outcome), *map(str, Reason), *get_args(adaptation.Status)}
    assert _named(names, CONTRACT.text) == names


def test_reasons_of_the_contract_page_are_those_of_the_code() -> None:
    """The table of rejects has each reason once, and no other."""
    table = CONTRACT.text.partition("| reason | when |")[2].partition("\n\n")[0]
    assert sorted(re.findall(r"^\| `(\w+)` ", table, re.MULTILINE)) == sorted(Reason)


def test_catalogue_of_the_contract_page_can_be_loaded() -> None:
    """The example is a catalogue."""
    (example,) = CONTRACT.blocks("toml")
    assert list(NumberedCatalogue.parse(example.text).facets) == ["length"]


def test_generated_pages_have_every_setting_metric_option_and_reason() -> None:
    """The generators leave nothing out, and each entry has a meaning."""
    pages = {path: page() for path, page in GENERATED.items() if path.startswith("reference/")}
    families = {metric.name for metric in CountersCollector(ProcessView(Counters())).collect()}
    assert {name for name in families if f"`{name}" not in pages["reference/metrics.md"]} == set()
    shown = {setting.shown(name) for name, setting in descriptions().items()}
    assert {name for name in shown if f"| `{name}` |" not in pages["reference/settings.md"]} == set()
    assert {each for command in commands() for each in _options(command.options)} <= _codes(pages["reference/cli.md"])
    assert set(Reason) <= _codes(pages["reference/rejects.md"])
    for page in (pages["reference/metrics.md"], pages["reference/settings.md"], pages["reference/rejects.md"]):
        assert re.findall(r"^\| `.*\|  \|$", page, re.MULTILINE) == []


def _options(options: Iterable[object]) -> Iterator[str]:
    for option in options:
        yield from getattr(option, "opts")  # noqa: B009  # typer has the base class in a private module


def _codes(text: str) -> set[str]:
    """Return the first word of each code span."""
    return set(re.findall(r"`([^`\s]+)[^`\n]*`", text))


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_variables_exist(page: Page) -> None:
    """`TACIT_…` is a setting, or a variable that the code reads."""
    names = set(re.findall(r"TACIT_[A-Z_]*[A-Z]", page.text))
    of_settings = {variable for name in descriptions() for variable in (variable_of(name), file_variable_of(name))}
    assert names - of_settings - _variables_in_code() == set()


@cache
def _variables_in_code() -> set[str]:
    sources = [path.read_text(encoding="utf-8") for path in _sources()]
    return set(re.findall(r'"(TACIT_[A-Z_]+)"', "\n".join(sources)))


def _sources() -> list[Path]:
    return [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_metrics_exist(page: Page) -> None:
    """`tacit_…` is a metric that is served, or a package."""
    names = {name for span in page.spans() for name in re.findall(r"\btacit_[a-z_]+", span)}
    assert names - {metric.name for metric in served_metrics()} - set(ROOMS) - OF_ASSISTANTS - FIXTURES == set()


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_options_exist(page: Page) -> None:
    """`--…` is an option of a command."""
    known = {each for command in commands() for each in _options(command.options)}
    text = "\n".join([*page.spans(), *(str(shown) for shown in page.commands())])
    found = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", text))
    assert found - known - set(FOREIGN_OPTIONS) - {"--help"} == set()


def test_foreign_options_and_names_are_on_a_page() -> None:
    """An exception that no page needs is removed."""
    spans = [text for page in PAGES for text in (*page.spans(), *map(str, page.commands()))]
    assert [name for name in {*FOREIGN_OPTIONS, *FOREIGN_NAMES} if not any(name in span for span in spans)] == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_commands_are_usable(page: Page) -> None:
    """`tacit NAME …` in a text names a command."""
    known = {command.name for command in commands()} | {"tacit COMMAND"}
    for span in page.spans():
        if re.match(r"tacit [a-zA-Z]", span):
            assert any(f"{span} ".startswith(f"{name} ") for name in known), span


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_files_and_modules_exist(page: Page) -> None:
    """A path below a folder of the repository leads to a file or folder; `python -m` names a module."""
    text = "\n".join([*page.spans(), *(block.text for block in page.blocks("text"))])
    paths = re.findall(rf"(?<![\w/.-])((?:{'|'.join(FOLDERS)})/[\w/.-]*\w)", text)
    assert [path for path in paths if not (ROOT / path).exists()] == []
    modules = re.findall(r"python -m ([\w.]+)", text)
    assert [module for module in modules if importlib.util.find_spec(module) is None] == []


@pytest.mark.parametrize("page", PAGES, ids=str)
def test_python_names_exist(page: Page) -> None:
    """A dotted name of a package can be imported; a class, function or call is defined in the project."""
    spans = {span.removesuffix("()") for span in page.spans()}
    dotted = {span for span in spans if re.fullmatch(rf"(?:{'|'.join(ROOMS)})(?:\.\w+)+", span)}
    dotted -= FLAGS | {span for span in dotted if span.endswith((".toml", ".json", ".yaml"))}
    assert [name for name in sorted(dotted) if not _can_be_imported(name)] == []
    calls = {match[1] for span in page.spans() if (match := re.match(r"(?:\w+\.)*(\w+)\(", span))}
    classes = {span for span in spans if re.fullmatch(r"(?:[A-Z][a-z]+){2,}(?:\.\w+)*", span)} - FOREIGN_NAMES
    wanted = calls | {part for span in classes for part in span.split(".")}
    assert wanted - _defined() - {"poll", "consume", "float"} == set()


def _can_be_imported(dotted: str) -> bool:
    parts = dotted.split(".")
    for end in range(len(parts), 0, -1):
        if importlib.util.find_spec(parts[0]) and _has_module(".".join(parts[:end])):
            found: object = importlib.import_module(".".join(parts[:end]))
            for name in parts[end:]:
                if not hasattr(found, name):
                    return False
                found = getattr(found, name)
            return True
    return False


def _has_module(name: str) -> bool:
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:
        return False


@cache
def _defined() -> set[str]:
    """Return every name that the project defines, and every name that it imports."""
    found: set[str] = set()
    for path in _sources():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name) | ast.ClassDef(name=name):
                    found.add(name)
                case ast.alias(name=name):
                    found.add(name)
                case ast.Attribute(attr=name):
                    found.add(name)
    for path in (ROOT / "clients").glob("*/src/*.ts"):
        found.update(re.findall(r"\w+", path.read_text(encoding="utf-8")))
    return found


@pytest.mark.parametrize("page", [page for page in PAGES if page.path.parent == ROOT], ids=str)
def test_links_of_the_root_lead_to_files(page: Page) -> None:
    """Links of pages outside the site point at files; `make docs` checks those of the site."""
    links = re.findall(r"\]\((?!https?://|#)([^)#\s]+)", page.text)
    assert [link for link in links if not (page.path.parent / link).exists()] == []
