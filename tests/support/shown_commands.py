"""The commands of a page, run in the page's order on real servers."""

import os
import re
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.commands import NONE, TACIT, Running, environment, running
from tests.support.monitoring_client import health, scrape
from tests.support.pages import ROOT, Shown
from tests.support.ports import two_free_ports

WITHIN_S = 120
TARGETS = frozenset(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
SMALLER_DEMO = "tacit demo --users 300 --turns 9000"
DIFFERS = 1
"""Exit status of a comparison that found a difference."""


class Session:
    """A shell session in a folder: variables and files of one command are there for the next.

    Args:
        replaced: addresses and folders of the page → those of the test.
    """

    def __init__(self, folder: Path, replaced: Mapping[str, str]) -> None:
        self._folder = folder
        self._replaced = replaced
        self._port = two_free_ports()
        kept = {name: value for name, value in environment().items() if not name.startswith("TACIT_")}
        own = {"COLUMNS": "80", "TACIT_METRICS": f"127.0.0.1:{self._port}"}
        self._environment = kept | own | {"PATH": f"{TACIT.parent}{os.pathsep}{kept['PATH']}"}

    def run(self, shown: Shown) -> str:
        """Run a command to its end and return its output; fail if its status is not 0."""
        command = self._here(shown.command)
        if exported := re.match(r"export (\w+)=", command):
            self._environment[exported[1]] = self._shell(f'{command}\nprintf %s "${exported[1]}"')
            return ""
        if command.startswith("tacit run "):
            return self._live(command)
        if command.startswith("make "):
            return self._make(command.split()[1], bool(shown.output))
        return self._shell(command)

    def _here(self, command: str) -> str:
        for address, own in self._replaced.items():
            command = command.replace(address, own)
        return command

    def _make(self, target: str, is_shown: bool) -> str:
        """Run the demo, smaller, if its output is shown; `make test` or operators run the other targets."""
        assert target in TARGETS, f"the Makefile has no target {target}"
        return self._shell(SMALLER_DEMO) if target == "demo" and is_shown else ""

    def _shell(self, command: str) -> str:
        own = command.startswith(".venv/")
        done = subprocess.run(
            ["bash", "-eu", "-o", "pipefail", "-c", command],
            cwd=ROOT if own else self._folder,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=WITHIN_S,
        )
        allowed = {0, DIFFERS} if command.startswith("tacit diff ") else {0}
        assert done.returncode in allowed, f"{command}: status {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout

    def _live(self, command: str) -> str:
        """Run until the topic is read, then stop as an operator does."""
        words = command.partition("#")[0].split()[1:]
        with running(words, self._folder / "run.log", NONE, **self._environment) as run:
            run.wait_for(lambda: self._has_read(run), "the end of the topic")
            assert run.stop() == 0, run.output
        return ""

    def _has_read(self, run: Running) -> bool:
        """Return whether the processes of a run have read to the end of the topic."""
        ports = [self._port + number for number in range(max(1, len(run.workers)))]
        if any(health(port) != 200 for port in ports):
            return False
        lags = [value for port in ports for name, value in scrape(port).items() if "source_lag" in name]
        return bool(lags) and not any(lags)


def missing_lines(shown: Sequence[str], printed: str, *, labels: bool) -> list[str]:
    r"""Return the lines of a page that a command did not print, in order; `…` stands for anything.

    A digit stands for any digits, and white space for any white space. With `labels` only the first cell of a line has
    to agree: the figures of a demo differ from run to run.

    >>> missing_lines(["users   12", "…", "signals …"], "users 7\nrejects 3\nsignals  4 live\n", labels=False)
    []
    >>> missing_lines(["users 12", "forgets 1"], "users 7\n", labels=False)
    ['forgets 1']
    """
    lines = iter(_normalised(line, labels) for line in printed.splitlines())
    missing = []
    for line in shown:
        pattern = _pattern(_normalised(line, labels))
        if line.strip(_BOX) not in {"", "…"} and not any(pattern.fullmatch(found) for found in lines):
            missing.append(line)
            lines = iter(_normalised(found, labels) for found in printed.splitlines())
    return missing


_BOX = "─│╭╮╰╯ "


def _normalised(line: str, labels: bool) -> str:
    text = line.strip(_BOX)
    if labels:
        text = re.split(r"  +", text)[0]
    return " ".join(re.sub(r"[\d.,]*\d", "0", re.sub("[─╭╮╰╯]+", "", text)).split())


def _pattern(line: str) -> re.Pattern[str]:
    return re.compile(".*".join(re.escape(part) for part in line.split("…")))
