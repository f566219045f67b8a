"""Lease as the processes of a run see it."""

from multiprocessing import get_context

import pytest

from dataflows.lease import Lease, now_s
from state.errors import OwnershipError, SinkError
from tests.support.conditions import once

SPAWN = get_context("spawn")


def test_writes_are_allowed_until_the_end_of_the_lease() -> None:
    lease = Lease()
    lease.extend(now_s() + 60)
    lease.require(0)
    lease.extend(now_s() - 1)
    with pytest.raises(SinkError, match="did not confirm within 0 s"):
        lease.require(0)


def test_write_waits_for_an_extension() -> None:
    lease = Lease()
    with once(lambda: True, lambda: lease.extend(now_s() + 60)):
        lease.require(60)


def test_lost_lease_stays_lost() -> None:
    lease = Lease()
    lease.lose()
    lease.extend(now_s() + 60)
    assert lease.is_lost
    with pytest.raises(OwnershipError, match="another run has the namespace"):
        lease.require(60)


def _require(lease: Lease) -> None:
    lease.require(60)


def test_other_process_sees_the_end_and_the_extension() -> None:
    """The main process extends the lease for all."""
    lease = Lease()
    process = SPAWN.Process(target=_require, args=(lease,))
    process.start()
    lease.extend(now_s() + 60)
    process.join(60)
    assert process.exitcode == 0
