"""The monitor: progress is health, one silent client harms nobody, and an address that cannot be had is said."""

import json
import socket
from time import monotonic

import pytest

from dataflows.observability.http import STALLED_AFTER_S, monitor
from state.counters import Counters
from tacit.errors import ConfigurationError
from tests.support.monitoring_client import get
from tests.support.ports import free_port


@pytest.fixture
def port() -> int:
    return free_port()


def _counters(progress_age_s: float = 0.0) -> Counters:
    counters = Counters()
    counters.source.progressed_at = monotonic() - progress_age_s
    return counters


def test_process_that_makes_progress_is_healthy(port: int) -> None:
    """200, and how long ago it did."""
    with monitor(f"127.0.0.1:{port}", _counters(STALLED_AFTER_S - 5)):
        status, body = get(port, "/healthz")
    answer = json.loads(body)
    assert status == 200
    assert answer["healthy"] is True
    assert STALLED_AFTER_S - 5 <= answer["progress_age_s"] < STALLED_AFTER_S
    assert answer["records"] == 0


def test_process_without_progress_is_not(port: int) -> None:
    """503: it may be alive, but it does not do its work."""
    with monitor(f"127.0.0.1:{port}", _counters(STALLED_AFTER_S)):
        status, body = get(port, "/healthz")
    assert status == 503
    assert json.loads(body)["healthy"] is False


@pytest.mark.parametrize("path", ["/", "/metrics/", "/metricsx", "/healthz/x", "/../etc/passwd", "/-/quit"])
def test_nothing_else_is_there(path: str, port: int) -> None:
    """404, with a word on what there is."""
    with monitor(f"127.0.0.1:{port}", _counters()):
        assert get(port, path) == (404, b"/metrics and /healthz are served here\n")


def test_silent_client_keeps_nobody_waiting(port: int) -> None:
    """Neither the next client nor the end of the run."""
    with socket.socket() as silent, monitor(f"127.0.0.1:{port}", _counters()):
        silent.connect(("127.0.0.1", port))
        silent.sendall(b"GET /met")
        assert get(port, "/healthz")[0] == 200


def test_address_may_be_of_ip_version_6(port: int) -> None:
    """Written in brackets."""
    with monitor(f"[::1]:{port}", _counters()):
        assert get(port, "/healthz", "::1")[0] == 200


def test_port_is_free_again_afterwards(port: int) -> None:
    """A run that starts again finds its own port."""
    for _ in range(2):
        with monitor(f"127.0.0.1:{port}", _counters()):
            assert get(port, "/metrics")[0] == 200
    with pytest.raises(ConnectionRefusedError):
        get(port, "/metrics")


def test_off_listens_nowhere() -> None:
    """`off` is no host."""
    with monitor("off", _counters()):
        pass


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("127.0.0.1:{taken}", "Address already in use"),
        ("no.such.host.invalid:{free}", "Name or service not known"),
        ("127.0.0.1:65536", "a port is at most 65535"),
    ],
)
def test_address_that_cannot_be_listened_on_is_a_configuration_error(address: str, why: str, port: int) -> None:
    """Which address, why, and what to do."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = address.format(taken=taken.getsockname()[1], free=port)
        with pytest.raises(ConfigurationError) as caught, monitor(address, _counters()):
            pass
    assert str(caught.value) == f"metrics: {address} cannot be listened on: {why}; name another, or off"
