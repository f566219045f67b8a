"""Choice of the state from which a run begins."""

from pathlib import Path

import pytest
from msgspec.structs import replace

from connectors.kafka.address import TopicAddress
from dataflows.cuts.bucket import Bucket
from dataflows.cuts.cut import Cut
from dataflows.cuts.cut_run import choose_start
from dataflows.cuts.local_cut import LocalCut
from dataflows.job import Job
from dataflows.settings import Settings
from dataflows.state_folder import write_folder_id, write_identity
from state.errors import StateError
from tests.support.cuts import plain_cut

JOB = Job(Settings(embedded=True), TopicAddress(("localhost:9092",), "events"), bounded=False)


def add(bucket: Bucket, number: int, *, fence: int = 1, begun_from: str = "") -> Cut:
    cut = replace(plain_cut(number, fence=fence), identity=JOB.identity, begun_from=begun_from)
    bucket.write(cut)
    return cut


def folder_of(path: Path, local: LocalCut, state: str = "state") -> Path:
    """Make a state folder as a run leaves it."""
    local.write(path)
    write_folder_id(path, state)
    write_identity(path, JOB.identity)
    return path


@pytest.mark.parametrize(
    ("newest_from", "folder_from", "fits", "key"),
    [
        pytest.param("", "", True, "savepoints/before.json", id="first start"),
        pytest.param("", "before@1-4", True, "", id="no cut yet, and all folders fit"),
        pytest.param("", "before@1-4", False, "savepoints/before.json", id="no cut yet, and a host lost its disk"),
        pytest.param("before@1-4", "before@1-4", True, "", id="cuts since"),
        pytest.param("before@1-4", "before@1-4", False, "cuts/000001-0000000007.json", id="cuts since, a disk lost"),
        pytest.param("before@1-4", "", False, "cuts/000001-0000000007.json", id="cuts since, all disks lost"),
        pytest.param("", "before@1-3", True, "savepoints/before.json", id="an earlier savepoint of the name"),
    ],
)
def test_run_begins_from_a_savepoint_until_a_cut_did(
    newest_from: str, folder_from: str, fits: bool, key: str, bucket: Bucket, tmp_path: Path
) -> None:
    """The cuts of before the return to the savepoint are what the operator leaves."""
    add(bucket, 4)
    bucket.save("before")
    add(bucket, 7, begun_from=newest_from)
    folder = folder_of(tmp_path / "state", LocalCut(2, 7, folder_from))
    assert choose_start(JOB, bucket, folder, "before", 3, fits=fits).key == key


def test_folder_that_began_from_a_savepoint_may_be_behind_a_cut_that_did_not(bucket: Bucket, tmp_path: Path) -> None:
    """Another machine ran without the savepoint since."""
    add(bucket, 4)
    bucket.save("before")
    add(bucket, 9, fence=3)
    folder = folder_of(tmp_path / "state", LocalCut(2, 7, "before@1-4"))
    assert choose_start(JOB, bucket, folder, "before", 4, fits=True).key == "savepoints/before.json"


@pytest.mark.parametrize("savepoint", [None, "before"])
def test_folder_of_another_state_is_refused(savepoint: str | None, bucket: Bucket, tmp_path: Path) -> None:
    add(bucket, 4)
    bucket.save("before")
    folder = folder_of(tmp_path / "state", LocalCut(1, 4), state="another")
    with pytest.raises(StateError, match=r"did not come from file://.*: name an empty folder"):
        choose_start(JOB, bucket, folder, savepoint, 2, fits=True)
