"""Whole deployment with a console: Kafka, a worker that learns, Redis and the service, as processes."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from time import time_ns
from urllib.parse import urlencode

import msgspec

from tacit.contract.catalogue import SHIPPED
from tacit_lab.embedded import EmbeddedRedis
from tacit_service.access.callers import Scope
from tacit_service.access.key_file import hashed, new_key
from tests.support.commands import Limits, Running, running
from tests.support.kafka_topics import Kafka
from tests.support.monitored_run import history
from tests.support.monitoring_client import health, scrape
from tests.support.ports import free_port
from tests.support.service import PATIENT

LINK_SECRET = "a secret of links in tests"
USER = "user-000001"
SCOPES: Mapping[str, list[Scope]] = {
    "operator": ["manage", "export"],
    "clerk": ["manage"],
    "assistant": ["choose", "send"],
}
"""Name of a key → its scopes."""


@dataclass(frozen=True)
class Answer:
    """Answer of the service."""

    status: int
    headers: Mapping[str, str]
    text: str

    @property
    def cookie(self) -> str:
        """Name and value of the cookie that the answer sets."""
        return self.headers.get("set-cookie", "").partition(";")[0]


@dataclass(frozen=True)
class Deployment:
    """Running deployment."""

    folder: Path
    host: str
    """Host and port of the service."""
    keys: Mapping[str, str]
    """Name → key."""
    metrics: int
    """Port of the worker's metrics."""
    redis: str
    source: str
    worker: Running
    service: Running

    @property
    def address(self) -> str:
        """URL of the service."""
        return f"http://{self.host}"

    def get(self, path: str, cookie: str = "") -> Answer:
        """Return the answer to GET."""
        return self._answer("GET", path, None, {"Cookie": cookie})

    def post(self, path: str, fields: Mapping[str, str], cookie: str = "", origin: str | None = None) -> Answer:
        """Return the answer to a form, by default one of the service's own pages."""
        headers = {"Cookie": cookie, "Content-Type": "application/x-www-form-urlencoded"}
        return self._answer("POST", path, urlencode(fields), headers | {"Origin": origin or self.address})

    def login(self, name: str) -> str:
        """Return the cookie of a new session."""
        found = self.post("/console/login", {"key": self.keys[name]})
        assert (found.status, found.headers["location"]) == (303, "/console")
        return found.cookie

    def _answer(self, method: str, path: str, body: str | None, headers: Mapping[str, str]) -> Answer:
        connection = HTTPConnection(self.host, timeout=10)
        try:
            connection.request(method, path, body, dict(headers))
            reply: HTTPResponse = connection.getresponse()
            return Answer(reply.status, {k.lower(): v for k, v in reply.getheaders()}, reply.read().decode())
        finally:
            connection.close()


@contextmanager
def deployed(kafka: Kafka, folder: Path) -> Iterator[Deployment]:
    """Run a deployment that has learned from a history in which each figure of the console has a value."""
    (folder / "catalogue.toml").write_text(SHIPPED.read_text() + "\n[holdout]\nshare = 0.3\n")
    topic, metrics, lines = kafka.create_topic(), free_port(), history(folder, users=200, turns=4_000)
    source = f"kafka://{kafka.servers}/{topic}"
    run = ["run", source, *_COMMON, "--metrics", f"127.0.0.1:{metrics}", "--checkpoint-every", "1"]
    run += ["--challenger", "river.linear_model.LogisticRegression"]
    with (
        EmbeddedRedis() as server,
        running([*run, "--redis", server.url], folder / "worker.log", TACIT_POPULATION="learn") as worker,
    ):
        begun = Deployment(folder, "", _keys(folder / "keys.jsonl"), metrics, server.url, source, worker, worker)
        with serving(begun, "--worker-metrics", f"http://127.0.0.1:{metrics}") as found:
            worker.wait_for(lambda: health(metrics), "the start of the worker")
            kafka.produce(topic, lines)
            worker.wait_for(lambda: _has_learned(metrics, len(lines)), "a population version")
            yield found


@contextmanager
def serving(deployment: Deployment, *options: str) -> Iterator[Deployment]:
    """Run a service on the worker and the Redis of a deployment."""
    host = f"127.0.0.1:{free_port()}"
    words = ["serve", *_COMMON, "--listen", host, "--redis", deployment.redis, "--source", deployment.source]
    words += ["--keys", "keys.jsonl", "--audit", "audit.jsonl", *options]
    log = deployment.folder / f"service-{host}.log"
    with running(words, log, _LIMITS, TACIT_LINK_SECRET=LINK_SECRET) as service:
        found = replace(deployment, host=host, service=service)
        service.wait_for(lambda: _is_ready(found), "the start of the service")
        yield found


_COMMON = ("--catalogue", "catalogue.toml", "--state", "state")
_LIMITS: Limits = {
    **PATIENT,
    "tacit_service.console.polling.EVERY_S": 0.25,
    "tacit_service.console.prometheus.SPANS": "{name: times._replace(step_s=times.step_s // 15) for name, times in "
    "tacit_service.console.prometheus.SPANS.items()}",
}
"""Limits with which the service looks at the worker and asks Prometheus often."""


def _keys(path: Path) -> dict[str, str]:
    keys = {name: new_key() for name in (*SCOPES, "former")}
    lines = [hashed(keys[name], name, scopes) for name, scopes in SCOPES.items()]
    lines.append(hashed(keys["former"], "former", ["manage"], time_ns() // 1_000_000 - 1))
    path.write_bytes(b"\n".join(map(msgspec.json.encode, lines)) + b"\n")
    return keys


def _is_ready(deployment: Deployment) -> bool:
    try:
        return deployment.get("/readyz").status == 200
    except OSError:
        return False


def _has_learned(port: int, records: int) -> bool:
    found = scrape(port)
    return found["tacit_records_total"] >= records and found["tacit_population_version"] > 0
