"""Erasure inside Bytewax: the bytes of a wiped user leave the disk in busy, quiet and interrupted runs."""

import os
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import bytewax.operators as op
import pytest
from bytewax.dataflow import Dataflow
from bytewax.inputs import AbortExecution, FixedPartitionedSource, StatefulSourcePartition
from bytewax.recovery import RecoveryConfig, init_db_dir
from bytewax.testing import TestingSink, run_main

from operators.adapt import Adapt
from operators.erasure import ErasureTimer, ErasureTimes
from state.counters import EventCounters
from state.events.observation import Kind, Observation
from state.events.records import Records
from state.storage.checkpoint_reader import CheckpointReader
from state.storage.shards import shard_key, shard_of
from state.user import codec
from tests.support.factories import CATALOGUE, RULES, START_MS, make_observation
from tests.support.observed_records import parse_observed, records_of
from tests.support.shard_stores import open_stores, pseudonyms

SHARDS = 4
EVERY = timedelta(milliseconds=100)
TIMES = ErasureTimes(within_ms=1000, checkpoint_ms=100)
WITHIN_S = 30
USERS = pseudonyms(60)
USER = USERS[7]
OTHER = next(user for user in USERS if shard_of(user, SHARDS) != shard_of(USER, SHARDS))

Step = list[Observation] | Callable[[], bool] | type[AbortExecution]
"""A batch; a condition to wait for; a crash."""


def turn(user: bytes, at_ms: int = START_MS) -> Observation:
    return make_observation(at_ms, user=user, served={"tone": "formal", "length": "concise"}, feedback="thumbs_up")


FORGET = make_observation(START_MS + 60_000, user=USER, kind=Kind.FORGET)


class Script(FixedPartitionedSource[Any, int], StatefulSourcePartition[Any, int]):
    """A source that follows steps, and sends nothing while it waits for a condition."""

    def __init__(self, steps: Sequence[Step], *, busy: bool) -> None:
        """Send turns of `OTHER` while waiting if `busy`."""
        self.steps = steps
        self.position = 0
        self.busy = busy
        self.deadline = time.monotonic() + WITHIN_S

    def list_parts(self) -> list[str]:
        return ["one"]

    def build_part(self, step_id: str, for_part: str, resume_state: int | None) -> "Script":  # noqa: ARG002  Bytewax passes all three
        return self

    def next_batch(self) -> list[Any]:
        if self.position == len(self.steps):
            raise StopIteration
        step = self.steps[self.position]
        if isinstance(step, type):
            raise step
        if isinstance(step, list):
            self.position += 1
            return [self.keyed(o) for o in step]
        if step():
            self.position += 1
        elif time.monotonic() > self.deadline:
            raise AssertionError("the condition does not come true")
        return [self.keyed(turn(OTHER, START_MS + 1000))] if self.busy else []

    def next_awake(self) -> None:
        return None

    def snapshot(self) -> int:
        return self.position

    @staticmethod
    def keyed(o: Observation) -> tuple[str, Records]:
        return shard_key(shard_of(o.user, SHARDS)), records_of([o])


def run(folder: Path, *steps: Step, times: ErasureTimes = TIMES, busy: bool = False) -> None:
    """Run the steps in one execution that resumes from the folder."""
    recovery = folder / "recovery"
    if not recovery.exists():
        recovery.mkdir(parents=True)
        init_db_dir(recovery, 1)
    flow = Dataflow("erasure")
    items = op.input("source", flow, Script(steps, busy=busy))
    with open_stores(folder / "shards", shards=SHARDS) as stores:
        adapted = op.stateful_batch(
            "adapt", items, lambda token: Adapt(stores, RULES, EventCounters(), parse_observed, token, erasure=times)
        )
        op.output("out", adapted, TestingSink([]))
        run_main(flow, epoch_interval=EVERY, recovery_config=RecoveryConfig(recovery))
        if AbortExecution not in steps:
            stores.confirm_end()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with the learned states of some users."""
    run(tmp_path, [turn(user) for user in USERS])
    return tmp_path


@pytest.fixture
def learned(folder: Path) -> bytes:
    """Return bytes that only the user's learned state has."""
    state, _ = CheckpointReader(folder / "shards", SHARDS, CATALOGUE).get(USER)
    assert state is not None
    return codec.pack(state)[codec.HEAD_BYTES :]


def holds(folder: Path, found: bytes) -> bool:
    """Return whether a file has the bytes; files and folders may disappear meanwhile."""
    for path in [Path(parent, name) for parent, _, names in os.walk(folder) for name in names]:
        with suppress(FileNotFoundError):
            if found in path.read_bytes():
                return True
    return False


@pytest.mark.parametrize("busy", [False, True], ids=["idle", "busy elsewhere"])
def test_state_leaves_a_quiet_shard_of_a_running_worker(folder: Path, learned: bytes, busy: bool) -> None:
    """No further event comes to the user's shard; in the first case, none comes at all."""
    assert holds(folder, learned)
    run(folder, [FORGET], lambda: not holds(folder, learned), AbortExecution, busy=busy)


def test_stop_erases_at_once(folder: Path, learned: bytes) -> None:
    """A bounded run and a stopped one leave no bytes behind, however long `within_ms` is."""
    run(folder, [FORGET], times=ErasureTimes(900_000, 100))
    assert not holds(folder, learned)


CRASHES: dict[str, Callable[[Path], bool]] = {
    "before a checkpoint": lambda _: True,
    "after the wipe's checkpoint": lambda folder: "erasing" in newest_step(folder),
    "after the compaction": lambda folder: "settling 2" in newest_step(folder),
    "after the next checkpoint": lambda folder: "settling 1" in newest_step(folder),
}


def newest_step(folder: Path) -> str:
    """Return the step of the erasure in the newest manifest of the user's shard."""
    reader = CheckpointReader(folder / "shards", SHARDS, CATALOGUE)
    manifest = reader.checkpoints()[shard_of(USER, SHARDS)].manifest
    return f"{'erasing' if manifest.erasing else ''} settling {manifest.settling}"


@pytest.mark.parametrize("crash", CRASHES)
def test_next_start_erases_after_a_crash(folder: Path, learned: bytes, crash: str) -> None:
    """The bytes leave the disk although no event comes after the start, but for one that was not committed."""
    run(folder, [FORGET], lambda: CRASHES[crash](folder), AbortExecution)
    again: list[Step] = [[FORGET]] if crash == "before a checkpoint" else []
    run(folder, *again, lambda: not holds(folder, learned), AbortExecution)


def test_wipes_of_a_while_share_a_compaction(folder: Path) -> None:
    """The first wipe sets the time, which leaves the checkpoints enough time."""
    now_ms = [0]
    timer = ErasureTimer(ErasureTimes(900_000, 10_000), lambda: now_ms[0])
    with open_stores(folder / "new", shards=SHARDS) as stores:
        store = stores.create(USER)
        assert timer.wake_at(store) is None
        for at_ms in (1_000, 500_000):
            now_ms[0] = at_ms
            store.erase([USER])
            timer.start()
            timer.step(store)
        assert store.waits_for_compaction
        wake = timer.wake_at(store)
        assert wake is not None
        assert wake.timestamp() == 851
        now_ms[0] = 851_000
        timer.step(store)
        assert not store.waits_for_compaction
