"""Monitor: health, silent clients, and addresses that cannot be bound."""

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


def test_process_with_progress_is_healthy(port: int) -> None:
    """The status is 200, and the body has the age of the progress."""
    with monitor(f"127.0.0.1:{port}", _counters(STALLED_AFTER_S - 5)):
        status, body = get(port, "/healthz")
    answer = json.loads(body)
    assert status == 200
    assert answer["healthy"] is True
    assert STALLED_AFTER_S - 5 <= answer["progress_age_s"] < STALLED_AFTER_S
    assert answer["records"] == 0


def test_process_without_progress_is_unhealthy(port: int) -> None:
    """The status is 503."""
    with monitor(f"127.0.0.1:{port}", _counters(STALLED_AFTER_S)):
        status, body = get(port, "/healthz")
    assert status == 503
    assert json.loads(body)["healthy"] is False


@pytest.mark.parametrize("path", ["/", "/metrics/", "/metricsx", "/healthz/x", "/../etc/passwd", "/-/quit"])
def test_other_paths_are_not_found(path: str, port: int) -> None:
    """The status is 404, and the body has the valid paths."""
    with monitor(f"127.0.0.1:{port}", _counters()):
        assert get(port, path) == (404, b"/metrics and /healthz are served here\n")


def test_silent_client_delays_no_other_client(port: int) -> None:
    """A silent client delays neither the next client nor the end of the run."""
    with socket.socket() as silent, monitor(f"127.0.0.1:{port}", _counters()):
        silent.connect(("127.0.0.1", port))
        silent.sendall(b"GET /met")
        assert get(port, "/healthz")[0] == 200


def test_address_of_ip_version_6_is_served(port: int) -> None:
    """The host is in brackets."""
    with monitor(f"[::1]:{port}", _counters()):
        assert get(port, "/healthz", "::1")[0] == 200


def test_port_is_free_after_the_end(port: int) -> None:
    """A restarted run binds the same port."""
    for _ in range(2):
        with monitor(f"127.0.0.1:{port}", _counters()):
            assert get(port, "/metrics")[0] == 200
    with pytest.raises(ConnectionRefusedError):
        get(port, "/metrics")


def test_off_serves_nothing() -> None:
    """`off` is not a host."""
    with monitor("off", _counters()):
        pass


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("127.0.0.1:{taken}", "Address already in use"),
        ("no.such.host.invalid:{free}", "Name or service not known"),
        ("127.0.0.1:65536", "a port is at most 65535"),
    ],
)
def test_unavailable_address_is_a_configuration_error(address: str, reason: str, port: int) -> None:
    """The error has the address, the reason and the remedy."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = address.format(taken=taken.getsockname()[1], free=port)
        with pytest.raises(ConfigurationError) as caught, monitor(address, _counters()):
            pass
    assert str(caught.value) == f"metrics: {address} cannot be bound: {reason}; name another, or off"
