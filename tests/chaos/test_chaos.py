"""Short chaos: each fault at least once, five kills, a fixed seed. `make chaos` is the long form."""

from pathlib import Path

from tests.chaos.chaos import run_plan
from tests.chaos.report import Plan
from tests.chaos.schedule import Fault, Step
from tests.support.kafka_broker import KAFKA_TEST, Broker

pytestmark = KAFKA_TEST

STEPS = [
    Step(Fault.REDIS_FULL, processes=1, after_s=1.0),
    Step(Fault.KILL_ALL, processes=1, after_s=0.8),
    Step(Fault.KILL_LAUNCHER, processes=1, after_s=0.9, begins_at_work=False),
    Step(Fault.REDIS_EMPTIED, processes=1),
    Step(Fault.DISK_FULL, processes=1),
    Step(Fault.RESCALE, processes=3, after_s=0.5),
    Step(Fault.WORKER_FROZEN, processes=3, after_s=0.5),
    Step(Fault.KILL_WORKER, processes=3, after_s=0.5),
    Step(Fault.RESCALE, processes=2),
    Step(Fault.KILL_LAUNCHER, processes=2, after_s=0.3),
    Step(Fault.WRITES_LATE, processes=1),
    Step(Fault.REDIS_FROZEN, processes=1, kills_too=True),
    Step(Fault.BROKER_KILLED, processes=1),
]
PLAN = Plan(seed=7, steps=STEPS, max_s=300, users=100, turns=20_000)


def test_no_event_is_lost_or_doubled_and_no_signal_is_replaced_by_an_older_one(broker: Broker, tmp_path: Path) -> None:
    """State, signals, gates and rejects equal the ledger, and those of an undisturbed replay."""
    report = run_plan(PLAN, broker, tmp_path, progress=print)
    assert not report.findings, "\n".join(map(str, [*report.findings[:10], report]))
    assert {step.fault for step in STEPS} == set(Fault)
    assert report.kills == 5
