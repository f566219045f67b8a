"""The TypeScript client: its types, its tests on a running service, its package, and its example."""

import json
import re
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.support.node import CLIENT, node, npm, require_packages
from tests.support.pages import ROOT, Page

CODE_OF_PAGES = {
    f"{page.path.stem}.ts": "".join(block.text for block in page.blocks("ts") if "--8<--" not in block.text)
    for page in (Page(CLIENT / "README.md"), Page(ROOT / "docs/guides/typescript.md"))
}
"""File → module of all blocks of a page."""
EXAMPLE = ROOT / "examples" / "typescript" / "assistant.ts"
TSC = CLIENT / "node_modules" / "typescript" / "bin" / "tsc"
SERVICE_TESTS = sorted(str(path) for path in (CLIENT / "test" / "service").glob("*.test.ts"))
OTHER_TESTS = sorted(str(path) for path in (CLIENT / "test").glob("*.test.ts"))


@pytest.fixture(scope="module", autouse=True)
def _packages() -> None:
    require_packages()


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder in which the package is installed as users get it, with modules that need it."""
    built = tmp_path_factory.mktemp("built")
    node(TSC, "--project", "tsconfig.build.json", "--outDir", built / "dist")
    for name in ("package.json", "README.md", "LICENSE"):
        shutil.copy(CLIENT / name, built)
    folder = tmp_path_factory.mktemp("installed")
    (archive,) = json.loads(npm("pack", "--json", "--ignore-scripts", "--pack-destination", folder, cwd=built))
    (folder / "package.json").write_text('{"type": "module"}')
    npm("install", "--offline", "--no-save", folder / archive["filename"], cwd=folder)
    (folder / "node_modules" / "@openfeature").symlink_to(CLIENT / "node_modules" / "@openfeature")
    for name, text in (CODE_OF_PAGES | {EXAMPLE.name: EXAMPLE.read_text()}).items():
        (folder / name).write_text(text)
    return folder


def test_types_are_sound() -> None:
    """The client, its tests and the example pass the compiler's strict checks."""
    assert npm("run", "--silent", "check") == ""


def test_types_of_the_api_are_those_of_the_document(tmp_path: Path) -> None:
    """After a change of the document, `npm run types` writes them again."""
    made = tmp_path / "generated.ts"
    command: str = json.loads((CLIENT / "package.json").read_text())["scripts"]["types"]
    words = command.replace("src/generated.ts", str(made)).split()
    npm("exec", "--offline", "--", *words)
    assert made.read_text() == (CLIENT / "src/generated.ts").read_text(), "stale: npm run types"


def test_lock_names_no_registry() -> None:
    """A fresh machine installs from the registry of its own settings, with the same hashes."""
    lock = json.loads((CLIENT / "package-lock.json").read_text())
    _, *packages = lock["packages"].values()
    assert packages
    assert all("resolved" not in package and package["integrity"].startswith("sha512-") for package in packages)


def test_failures_of_a_service_are_survived() -> None:
    """Node runs the client's own tests, with servers that fail."""
    assert re.search(r"^ℹ fail 0$", node("--test", "--test-concurrency=2", *OTHER_TESTS), re.MULTILINE)


def test_client_works_on_a_running_service(service: Mapping[str, str]) -> None:
    """Choices, events, changes, rights, links and flags."""
    assert re.search(
        r"^ℹ fail 0$", node("--test", "--test-concurrency=2", *SERVICE_TESTS, variables=service), re.MULTILINE
    )


def test_package_has_types(installed: Path) -> None:
    """The code of pages, and the example, pass strict checks against the types in the package."""
    words = ["--noEmit", "--strict", "--module", "nodenext", "--types", "node"]
    places = ["--typeRoots", str(CLIENT / "node_modules" / "@types"), *map(str, installed.glob("*.ts"))]
    assert node(TSC, *words, *places, cwd=installed) == ""


@pytest.mark.parametrize("page", CODE_OF_PAGES)
def test_code_of_a_page_runs(page: str, service: Mapping[str, str], installed: Path) -> None:
    """All blocks of a page are one module, which needs nothing but the package."""
    assert f"{service['TACIT_URL']}/page?link=" in node(page, cwd=installed, variables=service)


def test_example_adapts_to_its_user(service: Mapping[str, str], installed: Path) -> None:
    """Consent, answers, feedback, a pin, the page, and the end."""
    talk = ["/yes", "Why does it fail?", "/shorter", "/pin format bullets", "And now?", "/page", "/forget", "So?", "/x"]
    printed = node("assistant.ts", "bob", cwd=installed, stdin="\n".join(talk), variables=service)
    expected = [
        r"Hello\. May I learn how you like my answers\? /yes or /no",
        r"Thank you\. /page shows all that I learn\.",
        r"You ask: Why does it fail\? Read the error first\..*",
        r"Noted\.",
        r"From now on: format bullets\.",
        r"- You ask: And now\?\n- Read the error first\.(\n- .*)*\n\(.*Use bullet points\..*\)",
        rf"{re.escape(service['TACIT_URL'])}/page\?link=\S+",
        r"All is forgotten; your receipt is r-[0-9a-f]{32}\.",
        r"You ask: So\? Read the error first\..*",
        r"I do not know /x\.",
    ]
    assert re.fullmatch("\n".join(expected) + "\n", printed), printed
