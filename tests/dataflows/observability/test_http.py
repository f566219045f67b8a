"""Monitors of a run: paths, silent clients, and addresses that cannot be bound."""

import json
import socket
from time import monotonic

import pytest

from dataflows.observability.http import monitors
from dataflows.observability.watch import STALLED_AFTER_S, Watch
from tacit.errors import ConfigurationError
from tests.support.monitoring_client import get, scrape
from tests.support.ports import free_port, two_free_ports


@pytest.fixture
def port() -> int:
    return free_port()


def _watch(progress_age_s: float = 0.0, processes: int = 1) -> Watch:
    watch = Watch(processes)
    watch.clear("starting")
    for process in watch.processes:
        process.counters.source.progressed_at = monotonic() - progress_age_s
    return watch


def test_run_with_progress_is_ready(port: int) -> None:
    """The status is 200, and the body has the age of the progress."""
    with monitors(f"127.0.0.1:{port}", _watch(STALLED_AFTER_S - 5)):
        status, body = get(port, "/readyz")
    answer = json.loads(body)
    assert status == 200
    assert answer["ready"] is True
    assert answer["reasons"] == []
    assert STALLED_AFTER_S - 5 <= answer["progress_age_s"] < STALLED_AFTER_S
    assert answer["records"] == 0


def test_run_without_progress_is_alive_and_not_ready(port: int) -> None:
    """The status is 503 of /readyz and of its other name, /healthz; the body has the reason."""
    with monitors(f"127.0.0.1:{port}", _watch(STALLED_AFTER_S)):
        status, body = get(port, "/readyz")
        assert get(port, "/livez")[0] == 200
        assert get(port, "/healthz")[0] == 503
    assert status == 503
    assert [reason["reason"] for reason in json.loads(body)["reasons"]] == ["no_progress"]


def test_each_process_has_its_port_and_all_have_the_health_of_the_run(port: int) -> None:
    """Counters are those of the process."""
    port = two_free_ports()
    watch = _watch(processes=2)
    watch.processes[1].counters.source.records = 7
    watch.fail("redis_unreachable", "Redis did not answer")
    with monitors(f"127.0.0.1:{port}", watch):
        assert [scrape(port + number)["tacit_records_total"] for number in range(2)] == [0, 7]
        assert [get(port + number, "/readyz")[0] for number in range(2)] == [503, 503]


@pytest.mark.parametrize("path", ["/", "/metrics/", "/metricsx", "/healthz/x", "/../etc/passwd", "/-/quit"])
def test_other_paths_are_not_found(path: str, port: int) -> None:
    """The status is 404, and the body has the valid paths."""
    with monitors(f"127.0.0.1:{port}", _watch()):
        assert get(port, path) == (404, b"/metrics, /livez and /readyz are served here\n")


def test_silent_client_delays_no_other_client(port: int) -> None:
    """A silent client delays neither the next client nor the end of the run."""
    with socket.socket() as silent, monitors(f"127.0.0.1:{port}", _watch()):
        silent.connect(("127.0.0.1", port))
        silent.sendall(b"GET /met")
        assert get(port, "/readyz")[0] == 200


def test_address_of_ip_version_6_is_served(port: int) -> None:
    """The host is in brackets."""
    with monitors(f"[::1]:{port}", _watch()):
        assert get(port, "/readyz", "::1")[0] == 200


def test_port_is_free_after_the_end(port: int) -> None:
    """A later run binds the same port."""
    for _ in range(2):
        with monitors(f"127.0.0.1:{port}", _watch()):
            assert get(port, "/metrics")[0] == 200
    with pytest.raises(ConnectionRefusedError):
        get(port, "/metrics")


def test_off_serves_nothing() -> None:
    """`off` is not a host."""
    with monitors("off", _watch()):
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
        with pytest.raises(ConfigurationError) as caught, monitors(address, _watch()):
            pass
    assert str(caught.value) == f"metrics: {address} cannot be bound: {reason}; name another, or off"


def test_port_of_the_second_process_is_bound_before_the_first_is_served() -> None:
    """A port in use is an error before anything starts."""
    port = two_free_ports()
    with (
        socket.create_server(("127.0.0.1", port + 1)),
        pytest.raises(ConfigurationError, match=f"127.0.0.1:{port + 1} cannot be bound"),
        monitors(f"127.0.0.1:{port}", _watch(processes=2)),
    ):
        pass
