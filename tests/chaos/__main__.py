"""`python -m tests.chaos [--seed N] [--kills N] [--minutes M]`: the long form of chaos."""

import argparse
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from tests.chaos.chaos import run_plan
from tests.chaos.report import Plan
from tests.chaos.schedule import schedule
from tests.support.kafka_broker import started_broker

MAX_PRINTED = 10
"""Findings to print in full."""


def main() -> None:
    """Run chaos; exit with 0 without findings, else with 1 and keep logs and state."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Kill everything, lose nothing.")
    parser.add_argument("--seed", type=int, default=1, help="of input, schedule and moments (1)")
    parser.add_argument("--kills", type=int, default=200, help="kills; other faults are in proportion (200)")
    parser.add_argument("--minutes", type=float, default=25, help="no fault begins later than this (25)")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tacit-chaos-"))
    began_s = time.monotonic()

    def progress(what: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - began_s), 60)
        sys.stdout.write(f"{minutes:3d}:{seconds:02d}  {what}\n")
        sys.stdout.flush()

    progress(f"logs and state in {folder}")
    with contextmanager(started_broker)() as broker:
        plan = Plan(given.seed, schedule(given.seed, given.kills), given.minutes * 60)
        report = run_plan(plan, broker, folder, progress)
    sys.stdout.write("".join(f"{finding}\n" for finding in report.findings[:MAX_PRINTED]) + f"{report}\n")
    if report.findings:
        sys.exit(1)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
