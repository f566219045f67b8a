"""Live run over a history in two halves, which a test can disturb between the halves."""

from pathlib import Path
from typing import Any, NamedTuple, Self

from tests.support.commands import Running, everything_in
from tests.support.kafka_topics import Kafka
from tests.support.monitoring_client import health, scrape
from tests.support.ports import two_free_ports
from tests.support.redis_faults import FragileRedis
from tests.support.replays import left_by, write_history

NAMESPACE = "faults"


class History(NamedTuple):
    """Events in two halves, and the content of Redis after an undisturbed run."""

    halves: tuple[list[bytes], list[bytes]]
    left: dict[str, Any]

    @classmethod
    def made(cls, folder: Path, turns: int, kafka: Kafka) -> Self:
        """Simulate a history in a folder."""
        write_history(folder / "events.jsonl", users=100, turns=turns)
        lines = (folder / "events.jsonl").read_bytes().splitlines()
        left = left_by_topic(kafka, lines, folder)
        return cls((lines[: len(lines) // 2], lines[len(lines) // 2 :]), left)

    @property
    def records(self) -> int:
        return sum(map(len, self.halves))


def left_by_topic(kafka: Kafka, lines: list[bytes], folder: Path) -> dict[str, Any]:
    """Return the content of Redis after a replay of a topic, whose records have times of their own, unlike lines."""
    topic = kafka.create_topic()
    kafka.produce(topic, lines)
    return left_by(f"kafka://{kafka.servers}/{topic}", "--namespace", NAMESPACE, cwd=folder)[1]


class Live:
    """Live run over its own topic, disturbed between the halves of a history."""

    def __init__(self, history: History, kafka: Kafka, server: FragileRedis, folder: Path) -> None:
        self.history = history
        self.port = two_free_ports()
        self._kafka, self._server, self._folder = kafka, server, folder
        self._topic = kafka.create_topic()

    def words(self, *more: str) -> list[str]:
        """Return the command line, with a checkpoint interval of one second."""
        target = ["--redis", self._server.url, "--namespace", NAMESPACE, "--metrics", f"127.0.0.1:{self.port}"]
        return ["run", f"kafka://{self._kafka.servers}/{self._topic}", *target, "--checkpoint-every", "1", *more]

    def state(self) -> tuple[str, str]:
        """Return the option of the state folder."""
        return "--state", str(self._folder / "state")

    def produce(self, half: int) -> None:
        self._kafka.produce(self._topic, self.history.halves[half])

    def wait_for_first_half(self, run: Running) -> None:
        """Wait until the run has read the first half."""
        read = len(self.history.halves[0])
        run.wait_for(lambda: self._records() == read, "the first half to be read")

    def wait_until_equal(self, run: Running) -> None:
        """Wait until Redis has the content of an undisturbed run."""
        held: dict[str, Any] = {}

        def is_equal() -> bool:
            held.clear()
            held.update(everything_in(self._server.client))
            return held == self.history.left

        try:
            run.wait_for(is_equal, "the same bytes in Redis")
        except AssertionError as error:
            keys = [key for key in self.history.left if held.get(key) != self.history.left[key]]
            raise AssertionError(f"{len(keys)} keys differ, such as {keys[:2]}: {error}") from None

    def wait_for_health(self, run: Running, status: int) -> None:
        run.wait_for(lambda: health(self.port) == status, f"{status} of /healthz")

    def _records(self) -> float:
        return scrape(self.port)["tacit_records_total"] if health(self.port) else 0.0
