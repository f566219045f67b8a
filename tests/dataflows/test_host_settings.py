"""Settings of hosts that do not fit each other."""

import pytest

from dataflows.host_settings import host_problems
from dataflows.settings import Settings


@pytest.mark.parametrize(
    ("port", "expected"), [(65_534, []), (65_535, ["hosts: 2 processes of each host need ports up"])]
)
def test_port_of_each_process_exists(port: int, expected: list[str]) -> None:
    settings = Settings(embedded=True, hosts=f"a:{port},b:2101", host="0", processes=2)
    found = host_problems(settings, processes=2, keeps_state=True, is_embedded=False)
    assert [problem.partition(" to ")[0] for problem in found] == expected
