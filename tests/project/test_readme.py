"""README.md is true: its commands exist and work, its outputs look like theirs, its Python runs."""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest
import typer.main

from dataflows.settings import Settings
from state.catalogue.numbered import NumberedCatalogue
from tacit_cli.app import app
from tests.support.commands import SECRET, tacit
from tests.support.factories import make_event
from tests.support.replays import now_ms, redis_of_its_own, replay, write_lines

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
SMALLER_DEMO = ("demo", "--users", "700", "--turns", "20000")
BOX = "─│╭╮╰╯ "
LIVE = ("kafka://", "redis://", "rediss://")
"""Commands that name a server of the reader's are not run, only parsed."""


class Shown(NamedTuple):
    """A command of a console block, and what the page shows of its output."""

    command: list[str]
    output: list[str]


def _blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", README, re.DOTALL | re.MULTILINE)


def _shown() -> Iterator[Shown]:
    for block in _blocks("console"):
        for part in re.split(r"^\$ ", block, flags=re.MULTILINE)[1:]:
            command, *output = part.splitlines()
            yield Shown(shlex.split(command, comments=True), output)


COMMANDS = list(_shown())


def _text(line: str) -> str:
    """Return a line without boxes and rules, every number being 0."""
    return re.sub(r"\d+", "0", line.strip(BOX))


def _label(line: str) -> str:
    """Return what a line begins with: its text up to the first gap."""
    return _text(line).split("  ")[0]


def _is_run(shown: Shown) -> bool:
    return shown.command[0] == "tacit" and not any(address in word for word in shown.command for address in LIVE)


def test_page_shows_commands_and_python() -> None:
    """Otherwise the tests below would say nothing."""
    assert {shown.command[0] for shown in COMMANDS} >= {"make", "tacit"}
    assert _blocks("python")


@pytest.mark.parametrize("shown", COMMANDS, ids=lambda shown: shlex.join(shown.command))
def test_command_exists(shown: Shown) -> None:
    """Targets are in the Makefile, variables are settings, options and arguments those that the command line takes."""
    program, name, *words = shown.command
    if program == "make":
        assert name in TARGETS
        return
    if program == "export":
        assert name.partition("=")[0] in {f"TACIT_{setting.upper()}" for setting in Settings.model_fields}
        return
    assert program == "tacit"
    command = typer.main.get_command(app).commands[name]  # type: ignore[attr-defined]  # it is a group
    command.make_context(name, words)


def test_commands_work_one_after_the_other(tmp_path: Path) -> None:
    """In the order of the page, in one folder: a file that one writes is there for the next."""
    for shown in filter(_is_run, COMMANDS):
        done = tacit(*shown.command[1:], cwd=tmp_path, TACIT_SECRET="")
        assert (done.returncode, done.stderr) == (0, ""), shown.command
        labels = {_label(line) for line in done.stdout.splitlines()}
        assert [line for line in shown.output if _label(line) not in {*labels, "…"}] == []


def test_output_of_the_demo_is_like_that() -> None:
    """What `make demo` runs prints every line that the page shows, numbers and prompts aside."""
    assert "$(BIN)/tacit demo\n" in (ROOT / "Makefile").read_text()
    done = tacit(*SMALLER_DEMO)
    assert (done.returncode, done.stderr) == (0, "")
    labels = {_label(line) for line in done.stdout.splitlines()}
    (shown,) = [shown for shown in COMMANDS if shown.command == ["make", "demo"] and shown.output]
    text = _without_prompts(shown.output)
    assert [line for line in text if _label(line) not in {*labels, "…"}] == []


def test_prompts_on_the_page_are_the_catalogues() -> None:
    """Sentence by sentence."""
    sentences = {text for facet in NumberedCatalogue.load().facets.values() for text in facet.prompt.values()}
    prompts = _prompts([line for shown in COMMANDS for line in shown.output])
    assert prompts
    for prompt in prompts:
        assert {f"{sentence}." for sentence in prompt.rstrip(".").split(". ")} <= sentences


def test_python_runs(tmp_path: Path) -> None:
    """From top to bottom, with someone whose answers are to be short."""
    pin = make_event(type="pin", facet="length", value="concise", user_id="ada", at=now_ms())
    history = write_lines(tmp_path / "events.jsonl", [pin])
    with redis_of_its_own() as (url, _):
        replay(url, history, cwd=tmp_path)
        names = {"redis_url": url, "secret": SECRET, "user_id": "ada", "conversation_id": "c-1", "base_prompt": "Help."}
        found: dict[str, object] = dict(names)
        for block in _blocks("python"):
            exec(block, found)  # noqa: S102  # it is our own page
        found["reader"].close()  # type: ignore[attr-defined]
    assert str(found["system_prompt"]).startswith("Help. Keep answers short.")
    assert found["send_back_with_feedback"]


def _prompts(lines: list[str]) -> list[str]:
    """Return the prompts that stand in boxes, each in one piece."""
    content = "\n".join(line.strip(BOX) for line in lines)
    return [" ".join(found.split()) for found in re.findall(r"^prompt  (.*?)\n\n", content, re.DOTALL | re.MULTILINE)]


def _without_prompts(lines: list[str]) -> list[str]:
    """Return the lines, those left out that go on with a prompt."""
    kept, in_prompt = [], False
    for line in lines:
        if not in_prompt or line.startswith("╰"):
            kept.append(line)
            in_prompt = False
        in_prompt = in_prompt or line.strip(BOX).startswith("prompt ")
    return kept
