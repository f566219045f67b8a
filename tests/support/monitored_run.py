"""A live run with everything that metrics show, an assistant that reads, and a Prometheus that scrapes both."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from random import Random
from typing import Any

import yaml

from connectors.redis.difference import Difference
from connectors.redis.held import NO_GATE, held
from dataflows.observability.parity_metrics import write_parity_metrics
from dataflows.parity.measure import Parity, Standing
from tacit.contract.catalogue import SHIPPED
from tacit.contract.signals import encode
from tests.support.commands import running
from tests.support.factories import make_event
from tests.support.kafka_topics import Kafka
from tests.support.logged_choices import with_choice
from tests.support.monitoring_client import health, scrape
from tests.support.ports import free_port, two_free_ports
from tests.support.prometheus_server import PROJECT, Prometheus, prometheus
from tests.support.replays import now_ms, redis_of_its_own, write_history
from tests.support.sample_signals import signal
from tests.support.service import Service, serving
from tests.support.threads import served_in_thread

DEPLOY = PROJECT / "deploy"
USERS, TURNS = 200, 4_000
SCRAPE = "250ms"


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  # the name of the base class
        """Log no request."""


def history(folder: Path, users: int = USERS, turns: int = TURNS) -> list[bytes]:
    """Return a history in which each comparison of the proof has answers, and some control events are broken."""
    random = Random(4)
    write_history(folder / "plain.jsonl", users=users, turns=turns)
    lines = [with_choice(line, random) for line in (folder / "plain.jsonl").read_bytes().splitlines()]
    broken = [make_event(type="forget", user_id=f"f{n}", event_id=f"f{n}", at="yesterday") for n in range(3)]
    return [*(_proposed(line, random) for line in lines), *(json.dumps(event).encode() for event in broken)]


def _proposed(line: bytes, random: Random) -> bytes:
    """Return a third of the answers with proposals of an apprentice, of which some were not served."""
    if not line.startswith(b"{") or random.random() < 0.7 or b'"acted_on": [' not in line:
        return line
    event: dict[str, Any] = json.loads(line)
    event["proposed"] = [
        {**choice, "value": choice["runner_up"], "runner_up": choice["value"]} if random.random() < 0.5 else choice
        for choice in event["acted_on"]
    ]
    return json.dumps(event).encode()


@contextmanager
def monitored_run(kafka: Kafka, folder: Path) -> Iterator[Prometheus]:
    """Yield a Prometheus with the scrape configuration and the rules of deploy/, over a run that has read a history.

    A second run follows an empty event log.
    """
    (folder / "catalogue.toml").write_text(SHIPPED.read_text() + "\n[holdout]\nshare = 0.3\n")
    _write_parity(folder / "metrics")
    lines, topic, port = history(folder), kafka.create_topic(), two_free_ports()
    words = [
        "run",
        f"kafka://{kafka.servers}/{topic}",
        "--state",
        "state",
        "--catalogue",
        "catalogue.toml",
        "--metrics",
        f"127.0.0.1:{port}",
    ]
    (folder / "bucket").mkdir()
    words += ["--checkpoints", f"file://{folder}/bucket", "--upload-every", "1"]
    words += ["--checkpoint-every", "1", "--challenger", "river.linear_model.LogisticRegression"]
    with ExitStack() as stack:
        url, _ = stack.enter_context(redis_of_its_own())
        assistant, node = stack.enter_context(_assistant(url, folder)), stack.enter_context(_textfile(folder))
        (folder / "events.jsonl").touch()
        of_log = two_free_ports()
        follows = ["run", "events.jsonl", "--redis", url, "--namespace", "log", "--metrics", f"127.0.0.1:{of_log}"]
        stack.enter_context(running(follows, folder / "log-of-log"))
        targets = {"tacit": (port, of_log), "service": (assistant.port,), "assistant": (), "node": (node,)}
        server = stack.enter_context(prometheus(_config(targets), folder))
        run = stack.enter_context(running([*words, "--redis", url], folder / "log", TACIT_POPULATION="learn"))
        run.wait_for(lambda: len(server.query('up{job="tacit"} == 1')) == 2, "the first scrapes")
        kafka.produce(topic, lines)
        assistant.read(10)
        run.wait_for(lambda: _has_learned(port, len(lines)), "the history to be read, and a population version")
        assistant.read(10)
        # A rate needs an earlier sample: reads with signals may all be of a status that no scrape has shown yet.
        run.wait_for(lambda: server.query(f"sum(tacit_reads_total) == {assistant.reads}"), "a scrape of all reads")
        assistant.read(10)
        yield server


class _Assistant:
    """Client of the HTTP service, whose metrics count its reads and events."""

    def __init__(self, service: Service) -> None:
        self.port = int(service.url.rpartition(":")[2])
        self.reads = 0
        self._client = service.client

    def read(self, count: int) -> None:
        """Read the choices of some users, and send an event of each."""
        for number in range(count):
            user = f"user-{number:06d}"
            assert self._client.post("/v1/choices", json={"user": user, "unit": "c-1"}).status_code == 200
            event = make_event(user_id=user, at=now_ms(), event_id=f"e-{number}")
            assert self._client.post("/v1/events", json=event).status_code == 202
            self.reads += 1


@contextmanager
def _assistant(url: str, folder: Path) -> Iterator[_Assistant]:
    (folder / "service").mkdir()
    with serving(folder / "service", url, "--source", "events.jsonl") as service:
        yield _Assistant(service)


@contextmanager
def _textfile(folder: Path) -> Iterator[int]:
    """Serve the file `metrics` of a folder, as node_exporter does, and yield the port."""
    handler = partial(_Quiet, directory=str(folder))
    with served_in_thread(ThreadingHTTPServer(("127.0.0.1", free_port()), handler)) as server:
        yield server.server_port


def _config(targets: dict[str, tuple[int, ...]]) -> dict[str, Any]:
    """Return deploy/prometheus.yml with the targets of the test, which are asked often."""
    config: dict[str, Any] = yaml.safe_load((DEPLOY / "prometheus.yml").read_text())
    config["global"] = {"scrape_interval": SCRAPE, "scrape_timeout": SCRAPE, "evaluation_interval": SCRAPE}
    config["rule_files"] = [str(DEPLOY / name) for name in config["rule_files"]]
    for job in config["scrape_configs"]:
        job["static_configs"] = [{"targets": [f"127.0.0.1:{port}" for port in targets[job["job_name"]]]}]
    return config


def _has_learned(port: int, records: int) -> bool:
    if not health(port):
        return False
    found = scrape(port)
    return found["tacit_records_total"] >= records and found["tacit_population_version"] > 3


def _write_parity(path: Path) -> None:
    """Write the metrics of `tacit parity` for a user whose served signal is the replayed one."""
    found = Parity("eu", "live", 0, Difference("live", "replayed"), at_s=now_ms() / 1000)
    user = held({b"length": encode(signal("concise", now_ms()))})
    found.difference.add(user, user, NO_GATE)
    found.users[Standing.COMPARED] = 1
    write_parity_metrics(found, path)
