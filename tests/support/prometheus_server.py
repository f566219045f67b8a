"""Prometheus for tests: the binaries of Debian's package, unpacked below .cache, and a server that tests ask.

`python -m tests.support.prometheus_server install` downloads the package. It installs and starts no service.
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest
import yaml

from dataflows.runtime.parent_death import die_with
from tests.support.conditions import eventually
from tests.support.ports import free_port

PROJECT = Path(__file__).resolve().parents[2]
FOLDER = PROJECT / ".cache" / "prometheus"
PACKAGE = "prometheus"
START_S = 30

HOW_TO_INSTALL = "run `python -m tests.support.prometheus_server install` on Debian, or put prometheus on the path"


class PrometheusUnavailableError(Exception):
    """No Prometheus is available; the message states the missing part and the remedy."""


def binary(name: str) -> Path:
    """Return the path of `prometheus` or `promtool`: from .cache, else from the path of the environment."""
    cached = FOLDER / name
    found = str(cached) if cached.is_file() else shutil.which(name)
    if found is None:
        raise PrometheusUnavailableError(f"{name} is missing in {FOLDER} and on the path: {HOW_TO_INSTALL}")
    return Path(found)


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Return the path of promtool, or skip (fail under TACIT_REQUIRE_KAFKA=1)."""
    try:
        binary("prometheus")
        return binary("promtool")
    except PrometheusUnavailableError as error:
        if os.environ.get("TACIT_REQUIRE_KAFKA") == "1":
            pytest.fail(f"TACIT_REQUIRE_KAFKA=1, but {error}")
        pytest.skip(f"needs Prometheus: {error}")


class Prometheus:
    """Running server with the queries of its HTTP API."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def is_ready(self) -> bool:
        """Return whether the server answers queries."""
        try:
            with urlopen(f"{self.url}/-/ready", timeout=5) as reply:  # noqa: S310  # the address is ours
                return bool(reply.status == 200)
        except (URLError, ConnectionError):
            return False

    def query(self, expression: str) -> list[dict[str, Any]]:
        """Return the samples of an expression at this moment; a wrong expression is an error."""
        return list(self._get("query", query=expression)["result"])

    def rules(self) -> list[dict[str, Any]]:
        """Return the rules of all groups with their health and last error."""
        return [rule for group in self._get("rules")["groups"] for rule in group["rules"]]

    def _get(self, path: str, **parameters: str) -> dict[str, Any]:
        with urlopen(f"{self.url}/api/v1/{path}?{urlencode(parameters)}", timeout=10) as reply:  # noqa: S310  # as above
            answer: dict[str, Any] = json.load(reply)
        assert answer["status"] == "success", answer
        data: dict[str, Any] = answer["data"]
        return data


@contextmanager
def prometheus(config: Mapping[str, Any], folder: Path) -> Iterator[Prometheus]:
    """Run a server with a configuration, and its data in a folder, while the context lasts."""
    file, log, port = folder / "prometheus.yml", folder / "prometheus.log", free_port()
    file.write_text(yaml.safe_dump(dict(config)))
    server = Prometheus(port)
    words = [
        f"--config.file={file}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{port}",
    ]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [binary("prometheus"), *words], stdout=out, stderr=out, preexec_fn=partial(die_with, os.getpid())
        )
    try:

        def started() -> bool:
            assert process.poll() is None, log.read_text()[-2000:]
            return server.is_ready()

        eventually(started, within_s=START_S, what=f"the start of Prometheus; see {log}")
        yield server
    finally:
        process.kill()
        process.wait()


def install() -> Path:
    """Download Debian's package, and keep its two binaries below .cache; return their folder."""
    if not (FOLDER / "promtool").is_file():
        missing = [name for name in ("apt-get", "dpkg-deb") if shutil.which(name) is None]
        if missing:
            raise PrometheusUnavailableError(f"not installed: {', '.join(missing)}; {HOW_TO_INSTALL}")
        FOLDER.parent.mkdir(exist_ok=True)
        with tempfile.TemporaryDirectory(dir=FOLDER.parent) as folder:
            _unpack(Path(folder))
    return FOLDER


def _unpack(folder: Path) -> None:
    if not _downloaded(folder) and os.geteuid() == 0:
        _run(folder, "apt-get", "update", "-qq")
        _downloaded(folder)
    packages = list(folder.glob("*.deb"))
    if not packages:
        raise PrometheusUnavailableError(f"`apt-get download {PACKAGE}` failed; its output is above; {HOW_TO_INSTALL}")
    if not _run(folder, "dpkg-deb", "--extract", packages[0].name, "all"):
        raise PrometheusUnavailableError(f"`dpkg-deb` cannot unpack {packages[0].name}; its output is above")
    FOLDER.mkdir(exist_ok=True)
    for name in ("prometheus", "promtool"):  # promtool last: it stands for a complete folder
        (folder / "all" / "usr" / "bin" / name).rename(FOLDER / name)


def _downloaded(folder: Path) -> bool:
    return _run(folder, "apt-get", "download", "-qq", PACKAGE)


def _run(folder: Path, *command: str) -> bool:
    return subprocess.run(command, cwd=folder, stdout=sys.stderr, check=False).returncode == 0


def main() -> None:
    """Install the binaries."""
    if sys.argv[1:] != ["install"]:
        raise SystemExit("usage: python -m tests.support.prometheus_server install")
    try:
        folder = install()
    except PrometheusUnavailableError as error:
        raise SystemExit(str(error)) from None
    sys.stdout.write(f"Prometheus is in {folder}\n")


if __name__ == "__main__":
    main()
