"""Delay and rate of `POST /v1/choices`: a real `tacit serve`, Redis and the load generator on one machine.

    python -m benchmarks.http_service [--users N] [--rate N] [--seconds N] [--json]

Each user has learned signals of all facets. The service is one process on one core; the generator
(`benchmarks.http_load`) is another one. CPU is user and system time of the service.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from tacit_lab.embedded import EmbeddedRedis
from tests.support.commands import Running, running, tacit
from tests.support.ports import free_port

TURNS_PER_USER = 30
TARGETS = {"p50_ms": "1.5", "p99_ms": "5"}


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.http_service", description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=2000)
    parser.add_argument("--rate", type=float, default=1000)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, EmbeddedRedis() as server:
        found = _measure(Path(folder), server.url, options)
    if options.json:
        print(json.dumps({"machine": machine(), **found}))
    else:
        _print(found, options.rate)


def _measure(folder: Path, redis: str, options: argparse.Namespace) -> dict[str, dict[str, float]]:
    _fill(folder, redis, options.users)
    key = tacit("token", "load", "--keys", "keys.jsonl", cwd=folder).stdout.strip()
    port = free_port()
    words = ["serve", "--redis", redis, "--listen", f"127.0.0.1:{port}", "--keys", "keys.jsonl"]
    rates = ["--rate-token", "1000000", "--rate-user", "1000000"]
    with running([*words, *rates], folder / "serve.log") as run:
        run.wait_for(lambda: _answers(port), "an answer")
        at_rate = _load(run, port, key, options, "--rate", str(options.rate))
        return {"at_rate": at_rate, "maximum": _load(run, port, key, options)}


def _fill(folder: Path, redis: str, users: int) -> None:
    """Write learned signals of simulated users into Redis."""
    size = ("--users", str(users), "--turns", str(users * TURNS_PER_USER))
    for words in (("simulate", *size, "--out", "events.jsonl"), ("replay", "events.jsonl", "--redis", redis)):
        done = tacit(*words, "--quiet", cwd=folder)
        if done.returncode:
            sys.exit(done.stderr)


def _answers(port: int) -> bool:
    return not subprocess.run(["curl", "-sfo", os.devnull, f"http://127.0.0.1:{port}/livez"], check=False).returncode


def _load(run: Running, port: int, key: str, options: argparse.Namespace, *more: str) -> dict[str, float]:
    before_s = _cpu_s(run.process.pid)
    words = [sys.executable, "-m", "benchmarks.http_load", str(port), key, "--users", str(options.users)]
    done = subprocess.run(
        [*words, "--seconds", str(options.seconds), *more], check=True, capture_output=True, text=True
    )
    found: dict[str, Any] = json.loads(done.stdout)
    spent_s = _cpu_s(run.process.pid) - before_s
    sent = found["answers_per_s"] * (options.seconds + 2)
    return {**found, "cpu_us_per_request": 1e6 * spent_s / sent}


def _cpu_s(pid: int) -> float:
    """Return the user and system time of a process (proc(5))."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _print(found: dict[str, dict[str, float]], rate: float) -> None:
    table = Table("", f"at {rate:g}/s", "target", "maximum", "target")
    for name in found["at_rate"]:
        target = "2000" if name == "answers_per_s" else ""
        table.add_row(
            name, f"{found['at_rate'][name]:.2f}", TARGETS.get(name, ""), f"{found['maximum'][name]:.2f}", target
        )
    console = Console(highlight=False)
    console.print(machine())
    console.print(table)


if __name__ == "__main__":
    main()
