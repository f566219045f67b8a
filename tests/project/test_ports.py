"""Tests of the ports that tests give to their servers."""

from tests.support.ports import free_port


def test_ports_of_servers_that_do_not_listen_yet_differ() -> None:
    """Two servers of one test once got the same port, and the second one could not start."""
    assert len({free_port() for _ in range(200)}) == 200
