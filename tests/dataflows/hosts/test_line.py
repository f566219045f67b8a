"""Line of a host's state folder: it counts for the same host of the same cluster."""

from pathlib import Path

import pytest

from dataflows.hosts.line import Line, is_shared, read_line, require_whole
from state.errors import StateError


@pytest.mark.parametrize(
    ("hosts", "processes", "host", "line"),
    [(3, 2, 1, "first"), (2, 2, 1, ""), (3, 1, 1, ""), (3, 2, 2, "")],
)
def test_line_is_that_of_the_same_host(hosts: int, processes: int, host: int, line: str, tmp_path: Path) -> None:
    """A folder that was swapped or copied has the shards and positions of another host."""
    Line("first", 3, 2, 1).write(tmp_path)
    assert read_line(tmp_path, hosts, processes, host) == line


def test_folder_of_one_of_several_hosts_is_no_whole_state(tmp_path: Path) -> None:
    require_whole(tmp_path)
    Line("first", 1, 2, 0).write(tmp_path)
    require_whole(tmp_path)
    assert not is_shared(tmp_path)
    Line("first", 3, 2, 0).write(tmp_path)
    assert is_shared(tmp_path)
    with pytest.raises(
        StateError, match=r"has the share of host 0 of 3: give the same --hosts as before, or another folder"
    ):
        require_whole(tmp_path)
