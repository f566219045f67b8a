"""CPU of short commands, compared with an empty Python program in the same run.

    python -m benchmarks.startup [--rounds N] [--json]

Commands take turns, so that a slow moment of the machine affects all of them. CPU is user and system time of the
process; the median of all rounds is printed. Redis is an embedded one.
"""

import argparse
import json
import os
import resource
import subprocess
import sys
from collections.abc import Mapping, Sequence
from statistics import median

import redis
from rich.console import Console
from rich.table import Table

from benchmarks.machine import machine
from tacit.contract.keys import RegionKeys
from tacit_lab.embedded import EmbeddedRedis

MAX_CPU_S = 0.35
"""Target for each command."""
BASE = "python -c pass"
COMMANDS: Mapping[str, Sequence[str]] = {
    "tacit --help": ["--help"],
    "tacit --version": ["--version"],
    "tacit redis acl": ["redis", "acl"],
    "tacit show": ["show", "user-000001"],
    "tacit diff": ["diff", "live", "shadow"],
    "tacit promote": ["promote", "live"],
}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.startup", description=__doc__.split("\n")[0])
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with EmbeddedRedis() as server, redis.Redis.from_url(server.url) as client:
        client.sadd(RegionKeys("eu").namespaces, "live")
        found = measure(server.url, options.rounds)
    if options.json:
        print(json.dumps({"machine": machine(), "cpu_s": found}, indent=2))
    else:
        Console(highlight=False).print(machine(), _table(found), sep="\n")


def measure(url: str, rounds: int) -> dict[str, float]:
    """Return the CPU seconds of each command, the empty program first."""
    samples: dict[str, list[float]] = {name: [] for name in (BASE, *COMMANDS)}
    for _ in range(rounds):
        samples[BASE].append(_cpu_s([sys.executable, "-c", "pass"], url))
        for name, words in COMMANDS.items():
            samples[name].append(_cpu_s([sys.executable, "-m", "tacit_cli", *words], url))
    return {name: round(median(values), 4) for name, values in samples.items()}


def _cpu_s(command: Sequence[str], url: str) -> float:
    """Return the user and system time of a command that succeeds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    variables = {"TACIT_REDIS": url, "TACIT_SECRET": "a secret of benchmarks"}
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TACIT_")}
    subprocess.run(command, env=kept | variables, capture_output=True, check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def _table(found: Mapping[str, float]) -> Table:
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("command", "CPU s", "ratio", f"at most {MAX_CPU_S} s"):
        table.add_column(heading, justify="left" if heading == "command" else "right")
    for name, cpu_s in found.items():
        table.add_row(name, f"{cpu_s:.3f}", f"{cpu_s / found[BASE]:.1f}", "yes" if cpu_s <= MAX_CPU_S else "no")
    return table


if __name__ == "__main__":
    main()
