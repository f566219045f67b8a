"""tacit/testing/plugin: the tests of an assistant get the fixtures by one line, and pay nothing without it."""

import subprocess
import sys
from pathlib import Path

CONFTEST = 'pytest_plugins = ["tacit.testing.plugin"]\n'
ASSISTANT = """
import asyncio


def answer(reader, emitter, user):
    choice = reader.get(user).choose(unit="c-1")
    emitter.send(choice.turn(user).feedback("thumbs_up"))
    return choice.prompt()


def test_answer(tacit_reader, tacit_emitter):
    tacit_reader.set("ada", length="concise")
    assert answer(tacit_reader, tacit_emitter, "ada") == "Keep answers short."
    assert tacit_emitter.events[0].served["length"] == "concise"


def test_each_test_begins_without_users(tacit_reader, tacit_emitter):
    assert tacit_reader.get("ada").status == "absent"
    assert tacit_emitter.events == []


def test_asyncio(tacit_reader, tacit_async_reader):
    tacit_reader.set("ada", length="concise")
    assert asyncio.run(tacit_async_reader.get("ada")).status == "fresh"
"""
OWN_CATALOGUE = """
import msgspec
import pytest
from tacit import Catalogue


@pytest.fixture
def tacit_catalogue():
    return msgspec.structs.replace(Catalogue.load(), mode="apprentice")


def test_mode(tacit_reader):
    assert tacit_reader.get("ada").choose(unit="c").policy == "apprentice"
"""


def _run(folder: Path, **files: str) -> subprocess.CompletedProcess[str]:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error", "--rootdir", str(folder)]
    return subprocess.run([*command, str(folder)], capture_output=True, text=True, check=False, timeout=60, cwd=folder)


def test_one_line_gives_the_fixtures(tmp_path: Path) -> None:
    """Each test gets fresh ones."""
    done = _run(tmp_path, conftest=CONFTEST, test_assistant=ASSISTANT)
    assert "3 passed" in done.stdout, done.stdout


def test_fixture_of_the_application_replaces_the_catalogue(tmp_path: Path) -> None:
    """In a module, or in a conftest."""
    done = _run(tmp_path, conftest=CONFTEST, test_own=OWN_CATALOGUE)
    assert "1 passed" in done.stdout, done.stdout


def test_without_the_line_nothing_is_imported(tmp_path: Path) -> None:
    """Neither Tacit nor redis-py."""
    test = "import sys\n\n\ndef test_none():\n    assert not {'tacit', 'redis'} & sys.modules.keys()\n"
    done = _run(tmp_path, test_none=test)
    assert "1 passed" in done.stdout, done.stdout
