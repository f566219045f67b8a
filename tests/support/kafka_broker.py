"""Apache Kafka broker for tests: one KRaft node in one JVM that tests may kill, freeze and restart.

`python -m tests.support.kafka_broker install` installs the jars, and archives their classes.
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
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import NoReturn

import pytest

from dataflows.runtime.parent_death import die_with
from tests.support.conditions import eventually
from tests.support.kafka_jars import BrokerUnavailableError, class_archive, install, installed_jars
from tests.support.kafka_topics import Kafka
from tests.support.ports import two_free_ports

KAFKA_TEST = [
    pytest.mark.kafka,
    pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning"),
    pytest.mark.filterwarnings("ignore:unclosed <ssl.SSLSocket:ResourceWarning"),
]
"""Marks of a test module with a broker; `refused_connections` explains the others."""

START_S = 60
STOP_S = 30

_JAVA = ("java", "-Xms128m", "-Xmx384m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-Dlog4j2.level=WARN")


class Broker(Kafka):
    """Broker in a separate folder; ports and data survive kills and restarts."""

    def __init__(self, folder: Path, jars: Path, *options: str) -> None:
        port = two_free_ports()
        super().__init__(f"127.0.0.1:{port}")
        self._folder = folder
        self._java = (*_JAVA, *(options or _archived()), "-cp", f"{jars}/*")
        self._process: subprocess.Popen[bytes] | None = None
        properties = _properties(folder / "data", port, port + 1, self._listeners()) | self._more_properties()
        text = "".join(f"{name}={_escaped(value)}\n" for name, value in properties.items())
        (folder / "server.properties").write_text(text, encoding="utf-8")
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

    def serve(self) -> None:
        """Start or resume the broker, and return when it answers; a slow answer is no reason for a restart."""
        if self._process is not None and self._process.poll() is None:
            self.resume()
            with suppress(BrokerUnavailableError):  # it ended by itself
                eventually(self._answers_or_died, within_s=START_S, what=f"the broker's answer; see {self._log}")
                return
        self.start()

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

    @contextmanager
    def restored(self) -> Iterator[None]:
        """Back up the data of the broker; at the end of the context, restore the backup, and start again."""
        backup = self._folder / "backup"
        self.stop()
        shutil.copytree(self._folder / "data", backup)
        self.start()
        yield
        self.stop()
        shutil.rmtree(self._folder / "data")
        backup.rename(self._folder / "data")
        self.start()

    @contextmanager
    def other_cluster(self) -> Iterator[None]:
        """Stop the broker, and start one of another, empty cluster at its address; restore the first one at the end."""
        data, aside = self._folder / "data", self._folder / "aside"
        self.stop()
        data.rename(aside)
        self._format("tacit-test-other")
        self.start()
        yield
        self.stop()
        shutil.rmtree(data)
        aside.rename(data)
        self.start()

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

    def _listeners(self) -> Mapping[str, str]:
        """Return more listeners: name → HOST:PORT."""
        return {}

    def _more_properties(self) -> dict[str, str]:
        return {}

    def _format(self, cluster: str = "tacit-test-kafka") -> None:
        cluster_id = urlsafe_b64encode(cluster.encode()).decode().rstrip("=")
        tool = (*self._java, "kafka.tools.StorageTool", "format", "-t", cluster_id, "-c", "server.properties")
        subprocess.run(tool, cwd=self._folder, capture_output=True, check=True)

    def _answers_or_died(self) -> bool:
        if self._running.poll() is not None:
            raise BrokerUnavailableError(f"the broker ended during its start:\n{self._log.read_text()[-4000:]}")
        return self.answers()


def started_broker(*options: str) -> Iterator[Broker]:
    """Yield a running broker, with more options of its JVM; remove its data at the end."""
    jars = installed_jars()
    folder = Path(tempfile.mkdtemp(prefix="tacit-kafka-"))
    try:
        broker = Broker(folder, jars, *options)
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
        missing_broker(error)


def missing_broker(error: BrokerUnavailableError) -> NoReturn:
    """Skip the test, or fail it under TACIT_REQUIRE_KAFKA=1."""
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
    """Yield a broker that the test may kill and freeze; it serves again afterwards."""
    if not isinstance(kafka, Broker):
        pytest.skip("tests do not kill the broker of TACIT_TEST_KAFKA")
    yield kafka
    kafka.serve()


def _archived() -> tuple[str, ...]:
    """Return the option with the archive of classes; a JVM of another version leaves the archive out."""
    return (f"-XX:SharedArchiveFile={class_archive()}",) if class_archive().exists() else ()


def _archive_classes() -> None:
    """Write the archive of the classes that a broker needs until its first record."""
    new = class_archive().with_suffix(f".partial-{os.getpid()}")
    for broker in started_broker(f"-XX:ArchiveClassesAtExit={new}"):
        broker.produce(broker.create_topic(), [b"record"])
        broker.stop()
    new.rename(class_archive())


def _properties(data: Path, port: int, controller_port: int, more: Mapping[str, str]) -> dict[str, str]:
    listeners = {"PLAINTEXT": f"127.0.0.1:{port}", "CONTROLLER": f"127.0.0.1:{controller_port}", **more}
    return {
        "process.roles": "broker,controller",
        "node.id": "1",
        "controller.quorum.voters": f"1@127.0.0.1:{controller_port}",
        "controller.listener.names": "CONTROLLER",
        "listeners": ",".join(f"{name}://{address}" for name, address in listeners.items()),
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


def _escaped(value: str) -> str:
    """Return a value in the form of a properties file of Java."""
    escaped = value.replace("\\", "\\\\")
    return "".join(each if each.isascii() else f"\\u{ord(each):04x}" for each in escaped)


def main() -> None:
    """Install the broker's jars, and archive their classes."""
    if sys.argv[1:] != ["install"]:
        raise SystemExit("usage: python -m tests.support.kafka_broker install")
    try:
        folder = install()
        if not class_archive().exists():
            _archive_classes()
    except BrokerUnavailableError as error:
        raise SystemExit(str(error)) from None
    sys.stdout.write(f"Kafka's jars are in {folder}\n")


if __name__ == "__main__":
    main()
