"""Cuts in object storage: what uploads cost a running stream, and how fast a lost state is fetched.

    python -m benchmarks.cuts [--users N] [--touched N] [--intervals N] [--url URL]

The stream is that of `benchmarks.state`: Tacit's stateful step in Bytewax, with `touched` users per checkpoint interval
of 10 s. It runs without uploads and with a cut per interval, in turns. CPU is that of the process that uploads, per
touched user, after its first cut; bytes are those that were sent, per byte of packed rows that changed. The fetch of
the newest cut into an empty folder is compared with a plain copy of the same bytes. Without --url, the object storage
is a local folder.
"""

import argparse
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.machine import machine
from benchmarks.processes import in_new_process
from benchmarks.state import INTERVAL_S, Stream, fill_users, run_stream
from benchmarks.synthetic_users import full_rows
from dataflows.cuts.bucket import open_bucket
from dataflows.cuts.counters import CutCounters
from dataflows.cuts.fetch import ShardFetch, fetch
from dataflows.cuts.local_cut import LocalCut
from dataflows.cuts.process import UploadProcess
from dataflows.cuts.uploads import UploadJob
from dataflows.lease import Lease, now_s
from dataflows.observability.logs import configure
from dataflows.settings import Settings
from state.catalogue.numbered import NumberedCatalogue
from state.user.rules import Rules
from tests.support.commands import SECRET
from tests.support.conditions import eventually

_LONG_S = 86_400
_MB = 1e6


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.cuts", description=__doc__.split("\n")[0])
    parser.add_argument("--users", type=int, default=1_000_000, help="users in the state (default: %(default)s)")
    parser.add_argument("--touched", type=int, default=100_000, help="users per interval (default: %(default)s)")
    parser.add_argument("--intervals", type=int, default=6, help="intervals of each stream (default: %(default)s)")
    parser.add_argument("--url", help="object storage (default: a local folder)")
    options = parser.parse_args()
    print(machine())
    configure("error", as_json=True)
    with tempfile.TemporaryDirectory(prefix="tacit-benchmark-") as folder:
        _measure(Path(folder), options.users, options.touched, options.intervals, options.url)


def _measure(folder: Path, users: int, touched: int, intervals: int, url: str | None) -> None:
    print(f"{users:,} users, {touched:,} touched in each of {intervals} checkpoint intervals of {INTERVAL_S:g} s")
    bucket = folder / "bucket"
    bucket.mkdir()
    settings = Settings(secret=SECRET, checkpoints=url or f"file://{bucket}", upload_every=INTERVAL_S, keep_cuts=2)
    state = folder / "state"
    in_new_process(fill_users, state, users)
    for turn in range(4):
        first = turn * intervals
        if turn % 2 == 0:
            _print_pauses("without uploads", in_new_process(run_stream, state, users, touched, intervals, first))
            continue
        with _uploads(settings, state) as uploads:
            _print_pauses("with uploads", in_new_process(run_stream, state, users, touched, intervals, first))
        begin, end = uploads.first, uploads.last
        touches = touched * (end.cuts - begin.cuts)
        changed_bytes = touches * len(full_rows(Rules(NumberedCatalogue.load()))[0])
        print(
            f"  {end.cuts} cuts; {(end.cpu_s - begin.cpu_s) / touches * 1e6:.1f} µs of CPU per touched user; "
            f"{(end.bytes - begin.bytes) / touches / 1000:.1f} KB sent per touched user, "
            f"{(end.bytes - begin.bytes) / changed_bytes:.2f} bytes per byte of changed rows"
        )
    _measure_fetch(settings, folder)


def _print_pauses(name: str, stream: Stream) -> None:
    pauses_ms = sorted(pause * 1000 for pause in stream.pauses_s)
    print(f"{name}: longest pause of an interval: median {median(pauses_ms):,.0f} ms, max {pauses_ms[-1]:,.0f} ms")


class _Cuts(NamedTuple):
    """Use by a process after some cuts."""

    cuts: int
    bytes: int
    cpu_s: float


class _Uploads:
    """Uploads of a process: after its first cut, which has the start of the process, and after its last."""

    stat = Path()
    first: _Cuts
    last: _Cuts

    def update(self, counters: CutCounters) -> None:
        """Note a cut, with the CPU of the process (proc(5), fields 14 and 15)."""
        fields = self.stat.read_text().rpartition(")")[2].split()
        cpu_s = (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
        self.last = _Cuts(counters.cuts, counters.bytes, cpu_s)
        if counters.cuts == 1:
            self.first = self.last


@contextmanager
def _uploads(settings: Settings, state: Path) -> Iterator[_Uploads]:
    """Upload a first cut of everything; then yield, and upload one per interval."""
    lease, found = Lease(), _Uploads()
    lease.extend(now_s() + _LONG_S)
    job = UploadJob(settings, state, LocalCut(1), lease, "error")
    with UploadProcess(job, lambda _: None) as process:
        process.finish()
    with UploadProcess(job, found.update) as process:
        eventually(lambda: process.pid, within_s=10, what="the process that uploads")
        found.stat = Path(f"/proc/{process.pid}/stat")
        yield found


def _measure_fetch(settings: Settings, folder: Path) -> None:
    bucket = open_bucket(settings)
    *_, newest = bucket.all_cuts()
    began_s = time.perf_counter()
    fetch(bucket, newest, folder / "fetched")
    complete = ShardFetch(bucket, folder / "fetched")
    for shard in newest.shards.values():
        complete(shard.checkpoint)
    fetched_s = time.perf_counter() - began_s
    began_s = time.perf_counter()
    shutil.copytree(folder / "fetched", folder / "copied")
    copied_s = time.perf_counter() - began_s
    size = newest.size / _MB
    print(f"fetch of {size:,.0f} MB: {fetched_s:.1f} s, verified and on disk; plain copy: {copied_s:.1f} s")


if __name__ == "__main__":
    main()
