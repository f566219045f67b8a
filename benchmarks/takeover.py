"""Time from the end of a run to the first signal that its standby writes for a later event, by a real broker.

    python -m benchmarks.takeover [--times N] [--stop | --lost] [--users N]

All limits are the defaults. The commands do not see each other's processes, as on two machines, so the end of a killed
run shows by its leases alone. With --stop, the runs end in order. With --lost, there is no standby: a killed run also
loses its disk, and the time is that of the next command, which fetches a cut into an empty folder; a plain copy of the
lost folder is measured, too. With --users, the first run has users with full state. The benchmark needs the broker of
the tests, as `benchmarks.live`.
"""

import argparse
import os
import shutil
import tempfile
import time
from contextlib import AbstractContextManager, ExitStack, contextmanager
from pathlib import Path
from statistics import median

from benchmarks.live import fill_state
from benchmarks.machine import machine
from benchmarks.processes import in_new_process
from tacit.contract.keys import RegionKeys
from tacit.contract.pseudonyms import pseudonym
from tacit_cli.views.folder_stats import disk_bytes
from tests.support.commands import SECRET, Limits, Running, running
from tests.support.kafka_broker import started_broker
from tests.support.kafka_jars import BrokerUnavailableError
from tests.support.live_runs import Place
from tests.support.replays import redis_of_its_own

_LOOK_EVERY_S = 0.005
_ELSEWHERE: Limits = {"dataflows.holder._PROC": "__import__('pathlib').Path('/proc/none')"}
"""A command without /proc sees no other process, as on another machine."""


def main() -> None:
    """Measure, and print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.takeover", description=__doc__.split("\n")[0])
    parser.add_argument("--times", type=int, default=10, help="takeovers (default: %(default)s)")
    parser.add_argument("--users", type=int, default=0, help="users in the state (default: %(default)s)")
    ends = parser.add_mutually_exclusive_group()
    ends.add_argument("--stop", action="store_true", help="end the runs in order, in place of a kill")
    ends.add_argument("--lost", action="store_true", help="delete the folders of killed runs; there is no standby")
    options = parser.parse_args()
    print(machine())
    with tempfile.TemporaryDirectory(prefix="tacit-takeover-") as folder, redis_of_its_own() as (url, client):
        try:
            with contextmanager(started_broker)() as broker:
                place = Place(broker, url, client, Path(folder))
                if options.users:
                    in_new_process(fill_state, place.folder / "0", place.words()[1], options.users)
                (place.folder / "bucket").mkdir()
                if options.lost:
                    took_s = sorted(_starts_from_nothing(place, options.times))
                else:
                    took_s = sorted(_takeovers(place, options.times, is_orderly=options.stop))
        except BrokerUnavailableError as error:
            print(f"skipped: {error}")
            return
    how = "an orderly stop" if options.stop else "the start with an empty folder" if options.lost else "kill -9"
    print(
        f"{how} to the first later signal, {options.users:,} users, {len(took_s)} times: "
        f"median {median(took_s):.1f} s, min {took_s[0]:.1f} s, max {took_s[-1]:.1f} s"
    )


def _takeovers(place: Place, times: int, *, is_orderly: bool) -> list[float]:
    """Let a standby take over from each run; it is the next run."""
    took_s = []
    with ExitStack() as stack:
        run = stack.enter_context(_started(place, "run", 0))
        _teach(place, 0)
        for number in range(1, times + 1):
            standby = stack.enter_context(_started(place, "standby", number))
            standby.wait_for((place.folder / f"{number}/fence.json").exists, "the fetch of a cut")
            began_s = time.perf_counter()
            if is_orderly:
                run.stop()
            else:
                run.kill()
            _teach(place, number)
            took_s.append(time.perf_counter() - began_s)
            run = standby
    return took_s


def _starts_from_nothing(place: Place, times: int) -> list[float]:
    """Kill each run, delete its folder after a copy, and start the next run without one."""
    took_s = []
    with ExitStack() as stack:
        run = stack.enter_context(_started(place, "run", 0))
        _teach(place, 0)
        for number in range(1, times + 1):
            _await_cut(run)
            run.kill()
            lost, copied = place.folder / str(number - 1), place.folder / "copied"
            began_s = time.perf_counter()
            shutil.copytree(lost, copied)
            os.sync()
            copied_s = time.perf_counter() - began_s
            print(f"plain copy of {disk_bytes([lost]) / 1e6:,.0f} MB: {copied_s:.1f} s", flush=True)
            for folder in (lost, copied):
                shutil.rmtree(folder)
            began_s = time.perf_counter()
            run = stack.enter_context(_started(place, "run", number))
            _teach(place, number)
            took_s.append(time.perf_counter() - began_s)
    return took_s


def _await_cut(run: Running) -> None:
    run.wait_for(lambda: "cut.completed" in run.output, "a cut")


def _teach(place: Place, number: int) -> None:
    """Produce events of a new user, and wait for the signals."""
    user = f"user-{number}"
    key = RegionKeys("eu").within("live").signals(pseudonym(user, SECRET.encode()))
    place.teach(user)
    while not place.client.exists(key):
        time.sleep(_LOOK_EVERY_S)


def _started(place: Place, command: str, number: int) -> AbstractContextManager[Running]:
    words = place.words("--checkpoints", f"file://{place.folder}/bucket", command=command, state=str(number))
    return running([*words, "--checkpoint-every", "10"], place.folder / f"log{number}", _ELSEWHERE)


if __name__ == "__main__":
    main()
