"""SeaweedFS for tests: a real S3 server in one process that tests may kill, freeze and restart."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from sysconfig import get_path

import obstore
import pytest
from obstore.store import S3Store

from connectors.objects.address import ObjectAddress
from connectors.objects.opening import open_objects
from connectors.objects.store import Limits, ObjectStore
from dataflows.runtime.parent_death import die_with
from tests.support.conditions import eventually
from tests.support.ports import free_port

KEY, SECRET = "tacit", "tacit-secret"
READER_KEY, READER_SECRET = "reader", "reader-secret"
"""Access without the right to write."""
BUCKET = "tacit-tests"
START_S = 60

_SOCKETS = Path("/tmp")  # noqa: S108  # SeaweedFS puts its sockets there
_IDENTITIES = {
    "identities": [
        {
            "name": "tacit",
            "credentials": [{"accessKey": KEY, "secretKey": SECRET}],
            "actions": ["Admin", "Read", "Write", "List", "Tagging"],
        },
        {
            "name": "reader",
            "credentials": [{"accessKey": READER_KEY, "secretKey": READER_SECRET}],
            "actions": ["Read", "List"],
        },
    ]
}
_SERVERS = ("master", "volume", "filer", "s3")
"""Servers within the process; each has a port for HTTP and one for gRPC."""


class ObjectServer:
    """Server in a separate folder; ports and data survive kills and restarts."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ports = {f"{server}.port{kind}": free_port() for server in _SERVERS for kind in ("", ".grpc")}
        self._process: subprocess.Popen[bytes] | None = None
        self.endpoint = f"http://127.0.0.1:{self._ports['s3.port']}"
        (folder / "data").mkdir()
        (folder / "s3.json").write_text(json.dumps(_IDENTITIES), encoding="utf-8")

    def start(self) -> None:
        """Start the server, and return when it answers."""
        self._remove_sockets()
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command(),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=partial(die_with, os.getpid()),
            )
        eventually(self._answers, within_s=START_S, what=f"the start of SeaweedFS; see {self._log}")

    def kill(self) -> None:
        """Kill the server (SIGKILL); its orderly end takes half a minute."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            self._process = None
            self._remove_sockets()

    def pause(self) -> None:
        """Freeze the server (SIGSTOP): connections stay open, requests get no answer."""
        self._running.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue after `pause`."""
        self._running.send_signal(signal.SIGCONT)

    def serve(self) -> None:
        """Start or resume the server, and return when it answers."""
        if self._process is None:
            self.start()
        self.resume()
        eventually(self._answers, within_s=START_S, what=f"an answer of SeaweedFS; see {self._log}")

    def make_bucket(self, bucket: str) -> None:
        """Create a bucket by a signed request, unless it exists."""
        store = S3Store(
            bucket,
            endpoint=self.endpoint,
            access_key_id=KEY,
            secret_access_key=SECRET,
            client_options={"allow_http": True},
        )
        url = obstore.sign(store, "PUT", "/", timedelta(minutes=1))
        with urllib.request.urlopen(urllib.request.Request(url, method="PUT"), timeout=10):  # noqa: S310  # http
            pass

    def environment(self, key: str = KEY, secret: str = SECRET) -> dict[str, str]:
        """Return the variables with which Tacit reaches the server."""
        return {
            "AWS_ENDPOINT_URL": self.endpoint,
            "AWS_ALLOW_HTTP": "true",
            "AWS_REGION": "us-east-1",
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
        }

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "SeaweedFS is not running"
        return self._process

    @property
    def _log(self) -> Path:
        return self._folder / "log"

    def _command(self) -> list[str]:
        return [
            str(Path(get_path("scripts"), "weed")),
            "server",
            "-s3",
            "-dir=data",
            "-ip=127.0.0.1",
            "-ip.bind=127.0.0.1",
            "-master.telemetry=false",
            "-master.electionTimeout=300ms",
            "-master.volumeSizeLimitMB=1024",
            "-volume.max=0",
            "-s3.config=s3.json",
            "-s3.iam=false",
            "-s3.autoCreateBucket=false",
            "-s3.port.iceberg=0",
            "-s3.port.lance=0",
            *(f"-{name}={port}" for name, port in self._ports.items()),
        ]

    def _answers(self) -> bool:
        if self._running.poll() is not None:
            raise AssertionError(f"SeaweedFS ended during its start:\n{self._log.read_text()[-4000:]}")
        # Without a volume server, which may come 5 s later, the server answers reads and writes with errors.
        return self._get("s3", "/healthz") is not None and b'"DataNodes"' in (self._get("master", "/dir/status") or b"")

    def _get(self, server: str, path: str) -> bytes | None:
        """Return the answer of a server within the process; None without one."""
        connection = http.client.HTTPConnection("127.0.0.1", self._ports[f"{server}.port"], timeout=2)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.read() if answer.status == http.HTTPStatus.OK else None
        except (OSError, http.client.HTTPException):
            return None
        finally:
            connection.close()

    def _remove_sockets(self) -> None:
        for port in self._ports.values():
            for path in _SOCKETS.glob(f"seaweedfs-*-{port}.sock"):
                path.unlink(missing_ok=True)


@contextmanager
def started_s3() -> Iterator[ObjectServer]:
    """Yield a running server with the bucket `BUCKET`; remove its data at the end."""
    folder = Path(tempfile.mkdtemp(prefix="tacit-s3-"))
    server = ObjectServer(folder)
    try:
        server.start()
        server.make_bucket(BUCKET)
        yield server
    finally:
        server.kill()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def s3_server() -> Iterator[ObjectServer]:
    """Yield a running server of this test worker."""
    with started_s3() as server:
        yield server


@pytest.fixture
def s3(s3_server: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectServer]:
    """Yield a server that the test may kill and freeze, and set its variables; it serves again afterwards."""
    for name, value in s3_server.environment().items():
        monkeypatch.setenv(name, value)
    yield s3_server
    s3_server.serve()


def opened(url: str, stop: threading.Event | None = None, *, retry_for_s: float = 0) -> ObjectStore:
    """Return a store with short time limits."""
    limits = Limits(connect_s=1, request_s=5, retry_for_s=retry_for_s)
    return open_objects(ObjectAddress.parse(url), limits, stop)
