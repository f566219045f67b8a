"""`python -m tests.chaos [--seed N] [--kills N] [--minutes M] [--hosts] [--lost N]`: the long forms of chaos."""

import argparse
import os
import shutil
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from dataflows.observability.logs import configure
from tests.chaos.chaos import run_plan
from tests.chaos.hosts.chaos import run_hosts
from tests.chaos.hosts.schedule import schedule as host_schedule
from tests.chaos.report import Plan
from tests.chaos.schedule import schedule
from tests.support.kafka_broker import started_broker
from tests.support.object_server import started_s3

MAX_PRINTED = 10
"""Findings to print in full."""


def main() -> None:
    """Run chaos; exit with 0 without findings, else with 1 and keep logs and state."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description="Kill everything, lose nothing.")
    parser.add_argument("--seed", type=int, default=1, help="of input, schedule and moments (1)")
    parser.add_argument("--kills", type=int, default=200, help="kills; other faults are in proportion (200)")
    parser.add_argument("--minutes", type=float, default=40, help="no fault begins later than this (40)")
    parser.add_argument("--hosts", action="store_true", help="run on several hosts, with checkpoints in S3")
    parser.add_argument("--lost", type=int, default=66, help="with --hosts: hosts that are lost with their disks (66)")
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="tacit-chaos-"))
    began_s = time.monotonic()

    def progress(what: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - began_s), 60)
        sys.stdout.write(f"{minutes:3d}:{seconds:02d}  {what}\n")
        sys.stdout.flush()

    progress(f"logs and state in {folder}")
    with contextmanager(started_broker)() as broker:
        max_s = given.minutes * 60
        if given.hosts:
            steps = host_schedule(given.seed, given.lost)
            configure("warning")  # fetches of cuts log each shard
            with started_s3() as storage:
                os.environ |= storage.environment()
                report = run_hosts(Plan(given.seed, steps, max_s, events_per_s=150), broker, storage, folder, progress)
        else:
            plan = Plan(given.seed, schedule(given.seed, given.kills), max_s)
            report = run_plan(plan, broker, folder, progress)
    sys.stdout.write("".join(f"{finding}\n" for finding in report.findings[:MAX_PRINTED]) + f"{report}\n")
    if report.findings:
        sys.exit(1)
    shutil.rmtree(folder)


if __name__ == "__main__":
    main()
