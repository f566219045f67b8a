"""Short chaos with several hosts: each fault at least once, a fixed seed. `make chaos` is the long form."""

from pathlib import Path

from tests.chaos.hosts.chaos import run_hosts
from tests.chaos.hosts.schedule import HostFault, HostStep
from tests.chaos.report import Plan
from tests.support.kafka_broker import KAFKA_TEST, Broker
from tests.support.object_server import ObjectServer

pytestmark = KAFKA_TEST

STEPS = [
    HostStep(HostFault.HOST_LOST),
    HostStep(HostFault.S3_FAILING, after_cut=False, hold_s=1.0),
    HostStep(HostFault.S3_FULL, after_cut=False, hold_s=1.0),
    HostStep(HostFault.WORKER_KILLED, after_cut=False),
    HostStep(HostFault.LAUNCHER_KILLED),
    HostStep(HostFault.BROKER_KILLED, after_cut=False, hold_s=0.5),
    HostStep(HostFault.RESIZED, hosts=2, after_cut=False),
    HostStep(HostFault.REDIS_EMPTIED, after_cut=False, hold_s=0.5),
    HostStep(HostFault.HOST_KILLED),
    HostStep(HostFault.S3_SLOW, after_cut=False, hold_s=1.0),
    HostStep(HostFault.RESIZED, hosts=4, after_cut=False),
    HostStep(HostFault.S3_KILLED, after_cut=False, hold_s=0.5),
    HostStep(HostFault.HOST_PAUSED),
    HostStep(HostFault.S3_FROZEN, after_cut=False, hold_s=1.0),
    HostStep(HostFault.RESIZED, hosts=3, after_cut=False),
    HostStep(HostFault.ALL_LOST, after_cut=False),
    HostStep(HostFault.WRITES_LATE, after_cut=False),
]
"""Faults in groups: the first one of each follows a complete cut, and the others strike while the hosts start."""
PLAN = Plan(seed=7, steps=STEPS, max_s=300, users=50, turns=4_000, events_per_s=80)


def test_hosts_lost_with_their_disks_lose_and_double_no_event(broker: Broker, s3: ObjectServer, tmp_path: Path) -> None:
    """Cuts, signals, gates and rejects equal the ledger, and those of an undisturbed replay."""
    report = run_hosts(PLAN, broker, s3, tmp_path, progress=print)
    assert not report.findings, "\n".join(map(str, [*report.findings[:10], report]))
    assert {step.fault for step in STEPS} == set(HostFault)
