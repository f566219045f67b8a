"""The OpenAPI document of a running service, tried by Schemathesis: each operation keeps to it for any request."""

import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from tacit_lab.embedded import EmbeddedRedis
from tacit_service.app import operations
from tests.support.redis_server import BINARIES
from tests.tacit_service.trial.service import UNLIMITED, Served, learned, served

SCHEMATHESIS = Path(sys.executable).with_name("schemathesis")
CONFIG = Path(__file__).with_name("schemathesis.toml")
SHORT_WAIT = {"tacit_service.actions.MAX_WAIT_S": 0.2}
"""Limit of `?wait=`: no worker follows, so that each wait takes its whole time."""
CHECKS = (
    "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,"
    "response_schema_conformance,negative_data_rejection,positive_data_acceptance,missing_required_header,"
    "unsupported_method,allow_header_conformance,ignored_auth"
)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder = tmp_path_factory.mktemp("openapi")
    with EmbeddedRedis(BINARIES["redis-6.2"]) as redis:
        state = learned(folder, redis.url)
        (folder / "receipts").mkdir()
        parts = (
            "--source",
            str(folder / "events.jsonl"),
            "--state",
            str(state),
            "--receipts",
            str(folder / "receipts"),
        )
        (folder / "events.jsonl").touch()
        with served(folder, redis.url, *parts, *UNLIMITED, limits=SHORT_WAIT) as found:
            yield found


def schemathesis(service: Served, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    location = f"http://127.0.0.1:{service.port}/v1/openapi.json"
    fixed = ("--generation-deterministic", "--no-shrink", "--continue-on-failure", "--request-timeout", "60")
    command = [str(SCHEMATHESIS), "--config-file", str(CONFIG), "--no-color", "run", location, *fixed, *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=600, check=False)


def test_each_operation_keeps_to_the_document_for_any_request(service: Served, tmp_path: Path) -> None:
    """With all scopes. The stream of changes has no end, and tests of its own."""
    key = f"Authorization: Bearer {service.keys['all']}"
    words = ("--header", key, "--phases", "coverage,fuzzing", "--max-examples", "8", "--checks", CHECKS)
    done = schemathesis(service, tmp_path, *words, "--exclude-path", "/v1/changes")
    assert done.returncode == 0, done.stdout[-6000:]
    assert " failed" not in done.stdout, done.stdout[-6000:]
    assert service.choose().document["status"] == "absent"


def test_no_operation_works_without_a_key(service: Served, tmp_path: Path) -> None:
    """Each request of an operation with a scope is answered by 401, also a valid one."""
    before = requests(service)
    done = schemathesis(service, tmp_path, "--phases", "coverage", "--mode", "positive", "--checks", CHECKS)
    assert done.returncode == 0, done.stdout[-6000:]
    closed = {(each.method, each.path) for each in operations() if each.scope is not None}
    found = {
        (method, route, status) for method, route, status in requests(service) - before if (method, route) in closed
    }
    assert found == {(method, route, "401") for method, route in closed}


def requests(service: Served) -> Counter[tuple[str, str, str]]:
    """Return method, route and status of requests → number, by the metrics of the service."""
    lines = service.ask("GET", "/metrics").body.decode().splitlines()
    found = map(
        re.compile(r'tacit_http_requests_total\{method="(.*)",route="(.*)",status="(.*)"\} (.*)').fullmatch, lines
    )
    return Counter({(each[1], each[2], each[3]): int(float(each[4])) for each in found if each})
