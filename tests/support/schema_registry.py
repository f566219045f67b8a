"""Apicurio Registry for tests: a real schema registry with the API of Confluent, in one JVM.

`python -m tests.support.schema_registry install` downloads it from Maven Central.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import pytest

from dataflows.runtime.parent_death import die_with
from tests.support.conditions import eventually
from tests.support.ports import free_port

PROJECT = Path(__file__).resolve().parents[2]
VERSION = "3.0.9"
"""The newest version in Maven Central that runs on Java 17."""
ARCHIVE = (
    "https://repo1.maven.org/maven2/io/apicurio/apicurio-registry-app"
    f"/{VERSION}/apicurio-registry-app-{VERSION}-all.tar.gz"
)
SHA256 = "2b28181501a20cbf6efcd77f9b7153908fc01f3d3a7c32024c0bd9e1b04c8a43"
HOW_TO_INSTALL = "run `python -m tests.support.schema_registry install`, or name one in TACIT_TEST_SCHEMA_REGISTRY"
START_S = 60

_API = "/apis/ccompat/v7"
_JAVA = ("java", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dquarkus.http.host=127.0.0.1")


class RegistryUnavailableError(Exception):
    """No registry is available; the message states the missing part and the remedy."""


class SchemaRegistry:
    """Registry at an address."""

    def __init__(self, url: str) -> None:
        self.url = url

    def register(self, kind: str, text: str, references: Sequence[Mapping[str, Any]] = (), subject: str = "s") -> int:
        """Register a schema, and return its id."""
        document = {"schemaType": kind, "schema": text, "references": list(references)}
        found: int = self._request("POST", f"/subjects/{subject}/versions", json.dumps(document))["id"]
        return found

    def answers(self) -> bool:
        """Return True if the registry serves requests."""
        try:
            return "AVRO" in self._request("GET", "/schemas/types")
        except (OSError, ValueError):
            return False

    def _request(self, method: str, path: str, body: str | None = None) -> Any:
        parts = urlsplit(self.url)
        connection = HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        try:
            connection.request(method, parts.path + path, body, {"Content-Type": "application/json"})
            return json.loads(connection.getresponse().read())
        finally:
            connection.close()


def folder_of_registry() -> Path:
    """Return the folder for this version of the registry."""
    return PROJECT / ".cache" / "registry" / VERSION


def install() -> Path:
    """Download the registry, unless it is there, and return its folder."""
    folder = folder_of_registry()
    if folder.is_dir():
        return folder
    # Renamed when complete: an interrupted download must not pass for a registry.
    partial_folder = folder.with_name(f"{folder.name}.partial-{os.getpid()}")
    partial_folder.mkdir(parents=True)
    archive = partial_folder / "registry.tar.gz"
    try:
        with urlopen(ARCHIVE, timeout=60) as answer, archive.open("wb") as file:  # noqa: S310  # https
            shutil.copyfileobj(answer, file)
        if hashlib.sha256(archive.read_bytes()).hexdigest() != SHA256:
            raise RegistryUnavailableError(f"{ARCHIVE} has another checksum than the expected one")
        subprocess.run(["tar", "-xzf", archive, "-C", partial_folder], check=True)
        archive.unlink()
        partial_folder.rename(folder)
    except (OSError, subprocess.CalledProcessError) as error:
        raise RegistryUnavailableError(f"{ARCHIVE} was not downloaded: {error}") from error
    finally:
        shutil.rmtree(partial_folder, ignore_errors=True)
    return folder


def _started() -> Iterator[SchemaRegistry]:
    jars = sorted(folder_of_registry().glob("*-runner.jar"))
    if not jars or shutil.which("java") is None:
        raise RegistryUnavailableError(f"Java or the registry is missing: {HOW_TO_INSTALL}")
    folder, port = Path(tempfile.mkdtemp(prefix="tacit-registry-")), free_port()
    registry = SchemaRegistry(f"http://127.0.0.1:{port}{_API}")
    command = (*_JAVA, f"-Dquarkus.http.port={port}", "-jar", str(jars[0]))
    die_too = partial(die_with, os.getpid())
    with (folder / "log").open("ab") as log:
        process = subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            preexec_fn=die_too,
        )
    try:
        eventually(registry.answers, within_s=START_S, what=f"the registry's start; see {folder / 'log'}")
        yield registry
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def schema_registry() -> Iterator[SchemaRegistry]:
    """Yield a real registry: TACIT_TEST_SCHEMA_REGISTRY, else one started here, else skip."""
    url = os.environ.get("TACIT_TEST_SCHEMA_REGISTRY")
    if url:
        yield SchemaRegistry(url)
        return
    try:
        yield from _started()
    except RegistryUnavailableError as error:
        pytest.skip(f"needs a schema registry: {error}")


def main() -> None:
    """Download the registry."""
    if sys.argv[1:] != ["install"]:
        raise SystemExit("usage: python -m tests.support.schema_registry install")
    try:
        folder = install()
    except RegistryUnavailableError as error:
        raise SystemExit(str(error)) from None
    sys.stdout.write(f"The schema registry is in {folder}\n")


if __name__ == "__main__":
    main()
