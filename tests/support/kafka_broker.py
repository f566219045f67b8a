"""Apache Kafka broker for tests: one KRaft node in one JVM that tests may kill, freeze and restart.

`python -m tests.support.kafka_broker install` installs the jars.
"""

import gc
import logging
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from base64 import urlsafe_b64encode
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from dataflows.runtime.parent_death import die_with
from tests.support.conditions import eventually
from tests.support.kafka_jars import BrokerUnavailableError, install, installed_jars
from tests.support.kafka_topics import Kafka
from tests.support.ports import two_free_ports

KAFKA_TEST = [pytest.mark.kafka, pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")]
"""Marks of a test module with a broker; `refused_connections` explains the second one."""

START_S = 60
STOP_S = 30

_CLUSTER_ID = urlsafe_b64encode(b"tacit-test-kafka").decode().rstrip("=")
_JAVA = ("java", "-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=WARN")


class Broker(Kafka):
    """Broker in a separate folder; ports and data survive kills and restarts."""

    def __init__(self, folder: Path, jars: Path) -> None:
        port = two_free_ports()
        super().__init__(f"127.0.0.1:{port}")
        self._folder = folder
        self._java = (*_JAVA, "-cp", f"{jars}/*")
        self._process: subprocess.Popen[bytes] | None = None
        (folder / "server.properties").write_text(_properties(folder / "data", port, port + 1))
        self._format()

    def start(self) -> None:
        """Start the broker, and return when it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                (*self._java, "kafka.Kafka", "server.properties"),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=partial(die_with, os.getpid()),
            )
        eventually(self._answers_or_died, within_s=START_S, what=f"the broker's start; see {self._log}")

    def stop(self) -> None:
        """Stop the broker in an orderly way; keep its data."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """Kill the broker like a power cut (SIGKILL)."""
        self._end(signal.SIGKILL)

    def pause(self) -> None:
        """Freeze the broker (SIGSTOP): connections stay open, requests get no answer."""
        self._running.send_signal(signal.SIGSTOP)

    def resume(self) -> None:
        """Continue after `pause`."""
        self._running.send_signal(signal.SIGCONT)

    @property
    def _log(self) -> Path:
        return self._folder / "broker.log"

    @property
    def _running(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, "the broker is not running"
        return self._process

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        self._process.send_signal(how)
        self._process.send_signal(signal.SIGCONT)
        self._process.wait(STOP_S)
        self._process = None

    def _format(self) -> None:
        tool = (*self._java, "kafka.tools.StorageTool", "format", "-t", _CLUSTER_ID, "-c", "server.properties")
        subprocess.run(tool, cwd=self._folder, capture_output=True, check=True)

    def _answers_or_died(self) -> bool:
        if self._running.poll() is not None:
            raise BrokerUnavailableError(f"the broker ended during its start:\n{self._log.read_text()[-4000:]}")
        return self.answers()


def started_broker() -> Iterator[Broker]:
    """Yield a running broker; remove its data at the end."""
    jars = installed_jars()
    folder = Path(tempfile.mkdtemp(prefix="tacit-kafka-"))
    try:
        broker = Broker(folder, jars)
        broker.start()
        yield broker
        broker.kill()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def kafka() -> Iterator[Kafka]:
    """Yield a real broker: TACIT_TEST_KAFKA, else one started here, else skip (or fail under TACIT_REQUIRE_KAFKA=1)."""
    servers = os.environ.get("TACIT_TEST_KAFKA")
    if servers:
        yield Kafka(servers)
        return
    try:
        yield from started_broker()
    except BrokerUnavailableError as error:
        if os.environ.get("TACIT_REQUIRE_KAFKA") == "1":
            pytest.fail(f"TACIT_REQUIRE_KAFKA=1, but {error}")
        pytest.skip(f"needs a Kafka broker: {error}")


@pytest.fixture
def refused_connections() -> Iterator[None]:
    """Collect the sockets of refused connections, which kafka-python 3.0.12 leaves to the garbage collector.

    Otherwise a later test fails by a ResourceWarning. Records of the log would keep the sockets alive.
    """
    log = logging.getLogger("kafka")
    level = log.level
    log.setLevel(logging.CRITICAL)
    yield
    log.setLevel(level)
    gc.collect()


@pytest.fixture
def broker(kafka: Kafka, refused_connections: None) -> Iterator[Broker]:
    """Yield a broker that the test may kill and freeze; restart it afterwards."""
    if not isinstance(kafka, Broker):
        pytest.skip("tests do not kill the broker of TACIT_TEST_KAFKA")
    yield kafka
    if not kafka.answers():
        kafka.kill()
        kafka.start()


def _properties(data: Path, port: int, controller_port: int) -> str:
    settings = {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": f"PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}",
        "log.dirs": str(data),
        "auto.create.topics.enable": "false",
        "offsets.topic.replication.factor": "1",
        "transaction.state.log.replication.factor": "1",
        "transaction.state.log.min.isr": "1",
        "transaction.state.log.num.partitions": "1",
        # A killed broker registers again after its old session has expired: 9 s by default.
        "broker.session.timeout.ms": "1000",
        "broker.heartbeat.interval.ms": "200",
    }
    return "".join(f"{name}={value}\n" for name, value in settings.items())


def main() -> None:
    """Install the broker's jars."""
    if sys.argv[1:] != ["install"]:
        raise SystemExit("usage: python -m tests.support.kafka_broker install")
    try:
        folder = install()
    except BrokerUnavailableError as error:
        raise SystemExit(str(error)) from None
    sys.stdout.write(f"Kafka's jars are in {folder}\n")


if __name__ == "__main__":
    main()
