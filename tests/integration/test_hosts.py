"""Several hosts of one run, as commands with folders of their own on loopback addresses."""

import json
import os
import re
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from dataflows.cuts.bucket import open_bucket
from dataflows.cuts.part import REQUEST, Request, part_key
from dataflows.settings import Settings
from tests.support.commands import Limits, Running, everything_in, running, tacit
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka
from tests.support.live_runs import Place
from tests.support.ports import free_port
from tests.support.replays import redis_of_its_own

pytestmark = KAFKA_TEST

MAX_STRANGERS = 4
"""Few enough that a start succeeds after some."""
HOSTS_KEY = "tacit:v1:eu:{live}:hosts"
LIMITS: Limits = {"connectors.redis.ownership.LEASE_MS": 3_000, "connectors.redis.ownership.RENEW_MS": 1_000}


@pytest.fixture
def place(kafka: Kafka, tmp_path: Path) -> Iterator[Place]:
    (tmp_path / "bucket").mkdir()
    with redis_of_its_own() as (url, client):
        yield Place(kafka, url, client, tmp_path, partitions=4)


class Strangers:
    """Connections to the exchange from elsewhere: silent ones, and some with garbage."""

    def __init__(self, addresses: list[str]) -> None:
        self._addresses = [(host, int(port)) for host, _, port in (text.rpartition(":") for text in addresses)]
        self._end = Event()
        self._open: list[socket.socket] = []
        self.connections = 0

    def __enter__(self) -> "Strangers":
        self._thread = Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        self._thread.join()
        for one in self._open:
            one.close()

    def _run(self) -> None:
        while not self._end.wait(0.05) and self.connections < MAX_STRANGERS:
            for address in self._addresses:
                with suppress(OSError):
                    connection = socket.create_connection(address, timeout=1)
                    self._open.append(connection)
                    self.connections += 1
                    if self.connections % 2:
                        connection.sendall(b"GET / HTTP/1.1\r\n\r\n" * 10)


class Hosts:
    """Hosts of a run."""

    def __init__(self, place: Place, count: int, *more: str) -> None:
        self.place = place
        self.addresses = [f"127.0.1.{number + 1}:{free_port()}" for number in range(count)]
        self._more = more or ("--checkpoints", f"file://{place.folder}/bucket", "--upload-every", "1")
        self.runs: dict[int, Running] = {}
        self._stack = ExitStack()
        self.count = count

    def words(self, number: int, *more: str) -> list[str]:
        """Return the command line of a host."""
        hosts = ("--hosts", ",".join(self.addresses), "--host", str(number))
        return self.place.words(*self._more, *hosts, *more, state=f"h{number}")

    def start(self, *numbers: int, limits: Limits = LIMITS) -> None:
        for number in numbers:
            words = self.words(number)
            run = self._stack.enter_context(running(words, self.place.folder / f"log{number}", limits))
            self.runs[number] = run

    def lose(self, number: int) -> None:
        """Kill a host, and delete its state folder."""
        self.runs[number].kill()
        shutil.rmtree(self.place.folder / f"h{number}")

    def close(self) -> None:
        self._stack.close()

    def events(self, event: str, number: int = 0) -> list[dict[str, Any]]:
        lines = [json.loads(line) for line in self.runs[number].output.splitlines() if line.startswith("{")]
        return [line for line in lines if line["event"] == event]

    def count_of(self, event: str, number: int = 0) -> int:
        return len(self.events(event, number))

    def await_more(self, event: str, more: int, number: int = 0) -> None:
        before = self.count_of(event, number)
        self.runs[number].wait_for(lambda: self.count_of(event, number) >= before + more, f"{more} {event}")

    def stop(self) -> None:
        """Stop all hosts in order."""
        for run in self.runs.values():
            run.process.send_signal(signal.SIGTERM)
        assert [run.process.wait(60) for run in self.runs.values()] == [0] * len(self.runs)


@contextmanager
def hosts_of(place: Place, count: int, *more: str) -> Iterator[Hosts]:
    hosts = Hosts(place, count, *more)
    try:
        yield hosts
    finally:
        hosts.close()


def test_three_hosts_share_a_topic_and_a_lost_host_resumes_with_the_others(place: Place) -> None:
    """Its disk is gone; the other two notice, and all three resume from the newest cut by themselves."""
    with hosts_of(place, 3) as hosts:
        hosts.start(0, 1, 2)
        for user in ("ada", "bob", "cleo", "dan"):
            place.teach(user)
        place.wait_for_signals(hosts.runs[0], 4)
        hosts.await_more("cut.completed", 2)
        before = everything_in(place.client)
        hosts.lose(1)
        hosts.start(1)
        hosts.runs[1].wait_for(lambda: hosts.count_of("cut.fetched", 1), "the fetch")
        failed = hosts.events("run.failed")[0]["error"]
        assert re.fullmatch(
            r"(host 1 .*|a process of another host may be lost): Bytewax ended with an error: .*", failed
        )
        place.teach("eve")
        place.wait_for_signals(hosts.runs[0], 5)
        after = everything_in(place.client)
        for key in before:
            if "signals" in key:
                assert after[key] == before[key]
        hosts.stop()


def test_number_of_hosts_changes_without_a_loss(place: Place) -> None:
    """Three, then two: the last cut of a cluster has all of its events. Chaos has more hosts."""
    for users, (count, user) in enumerate(((3, "ada"), (2, "bob")), 1):
        with hosts_of(place, count) as hosts:
            hosts.start(*range(count))
            place.teach(user)
            place.wait_for_signals(hosts.runs[0], users)
            hosts.await_more("cut.completed", 1)
            hosts.stop()
    listed = tacit("state", "list", "--checkpoints", f"file://{place.folder}/bucket", "--json", cwd=place.folder)
    assert json.loads(listed.stdout)["cuts"][-1]["cut"].startswith("2-")


def test_run_without_other_hosts_and_hosts_again_have_all_users(place: Place) -> None:
    """The folder of host 0 has its share alone, and later the whole state, which the other folders do not fit."""
    folder = place.folder
    with hosts_of(place, 2) as hosts:
        for turn, (users, fetches) in enumerate((("ada bob cleo dan", 0), ("eve fay gil", 1))):
            hosts.start(0, 1)
            for user in users.split():
                place.teach(user)
            place.wait_for_signals(hosts.runs[0], 4 + 4 * turn)
            hosts.await_more("cut.completed", 2)
            hosts.stop()
            assert [bool(hosts.count_of("cut.fetched", number)) for number in (0, 1)] == [bool(fetches)] * 2
            if turn == 0:
                alone = place.words("--checkpoints", f"file://{folder}/bucket", "--upload-every", "1", state="h0")
                with running(alone, folder / "alone", LIMITS) as run:
                    place.teach("hal")
                    place.wait_for_signals(run, 5)
                    assert run.stop() == 0
    shown = tacit("state", "stats", "--checkpoints", f"file://{folder}/bucket", "--json", cwd=folder)
    assert json.loads(shown.stdout)["users"] == 8


def test_older_copy_of_a_folder_is_replaced_by_the_newest_cut(place: Place) -> None:
    """Such as that of a machine that was restored from a backup."""
    folder = place.folder
    with hosts_of(place, 2) as hosts:
        for users, user in enumerate(("ada", "bob", "cleo"), 1):
            hosts.start(0, 1)
            place.teach(user)
            place.wait_for_signals(hosts.runs[0], users)
            hosts.await_more("cut.completed", 1)
            hosts.stop()
            if users == 1:
                shutil.copytree(folder / "h1", folder / "backup")
            elif users == 2:
                shutil.rmtree(folder / "h1")
                (folder / "backup").rename(folder / "h1")
        assert hosts.count_of("run.failed") == 0
        assert hosts.count_of("cut.fetched", 1) == 1


def test_part_of_a_killed_process_that_uploads_comes_from_the_next_one(place: Place) -> None:
    """Host 0 waits for it no longer than for the restart, and no process of the stream ends."""
    bucket = open_bucket(Settings(embedded=True, checkpoints=f"file://{place.folder}/bucket"))

    def is_unserved() -> bool:
        found, newest = bucket.store.get(REQUEST), bucket.newest()
        request = Request.decode(found.data) if found else Request(0, 0)
        return bool(newest and request.number > newest.number) and bucket.store.get(part_key(request, 1)) is None

    place.teach("ada")
    with hosts_of(place, 2) as hosts:
        hosts.start(0, 1)
        hosts.await_more("cut.completed", 1)
        uploader = hosts.events("cut.process_started", 1)[-1]["pid"]
        os.kill(uploader, signal.SIGSTOP)
        hosts.runs[0].wait_for(is_unserved, "a request that the process cannot serve")
        os.kill(uploader, signal.SIGKILL)
        hosts.await_more("cut.completed", 2)
        assert hosts.count_of("cluster.broken") == 0
        hosts.stop()


def test_host_that_is_silent_is_named_with_the_end_of_the_processes(place: Place) -> None:
    """It is paused, so that its connections stay open, and Bytewax notices nothing."""
    with hosts_of(place, 2) as hosts:
        hosts.start(0, limits={**LIMITS, "dataflows.hosts.cluster._SILENT_LOOKS": 6})
        hosts.start(1)
        place.teach("ada")
        place.wait_for_signals(hosts.runs[0], 1)
        os.killpg(hosts.runs[1].process.pid, signal.SIGSTOP)
        hosts.runs[0].wait_for(lambda: hosts.count_of("run.failed"), "the failure")
        assert hosts.events("run.failed")[0]["error"] == (
            f"host 1 ({hosts.addresses[1]}) is silent: the process tacit-0 was killed, as a host is lost"
        )


def test_hosts_resume_from_their_own_folders_without_object_storage(place: Place) -> None:
    """A killed host comes back with its disk; with another disk, the error names the host and the remedy."""
    with hosts_of(place, 2, "--hosts-within", "60") as hosts:
        hosts.start(0, 1)
        place.teach("ada")
        place.wait_for_signals(hosts.runs[0], 1)
        hosts.runs[0].wait_for(lambda: list(place.folder.glob("h*/shards/*/c0*")), "a checkpoint")
        hosts.runs[1].kill()
        hosts.start(1)
        place.teach("bob")
        place.wait_for_signals(hosts.runs[0], 2)
        hosts.runs[0].wait_for(lambda: len(list(place.folder.glob("h*/shards/*/c0*"))) >= 2, "both shards")
        hosts.lose(1)
        hosts.start(1)
        assert hosts.runs[0].process.wait(60) == 1
        assert "host 1 has no state, and the others cannot resume without it" in hosts.runs[0].output
        assert "use --checkpoints" in hosts.runs[0].output


def test_missing_host_is_named_and_a_second_command_as_the_same_host_is_refused(place: Place) -> None:
    with hosts_of(place, 2) as hosts:
        hosts.start(0)
        hosts.runs[0].wait_for(lambda: place.client.hlen(HOSTS_KEY), "the member")
        done = tacit(*hosts.words(0), cwd=place.folder, limits=LIMITS)
        assert (done.returncode, "host 0 is run by another command" in done.stderr) == (1, True)
        assert hosts.runs[0].process.poll() is None
    with hosts_of(place, 2) as hosts:
        done = tacit(*hosts.words(0, "--hosts-within", "1"), cwd=place.folder, limits=LIMITS)
        assert done.returncode == 1
        assert f"waits for host 1 ({hosts.addresses[1]}) since 1 s: start it, or correct --hosts" in done.stderr


def test_host_without_a_partition_stays(kafka: Kafka, tmp_path: Path) -> None:
    """It has found the others, although it reads nothing."""
    (tmp_path / "bucket").mkdir()
    with redis_of_its_own() as (url, client), hosts_of(Place(kafka, url, client, tmp_path, partitions=1), 2) as hosts:
        hosts.start(0, 1, limits={**LIMITS, "dataflows.hosts.cluster.START_S": 10})
        hosts.place.teach("ada")
        hosts.place.wait_for_signals(hosts.runs[0], 1)
        hosts.await_more("cut.completed", 12)
        assert [hosts.count_of("cluster.broken", number) for number in (0, 1)] == [0, 0]
        hosts.stop()


def test_other_setting_of_a_host_is_an_error_that_names_it(place: Place) -> None:
    """With another interval, the checkpoints of all would fall behind for as long as the run lasts."""
    with hosts_of(place, 2) as hosts:
        hosts.start(0)
        done = tacit(*hosts.words(1, "--checkpoint-every", "20"), cwd=place.folder, limits=LIMITS)
        expected = "host 1 has checkpoint_every 20.0, and host 0 has 1.0: give all the same"
        assert (done.returncode, expected in done.stderr) == (1, True), done.stderr
        # Host 0 ends, too, if it saw the other host before that one left; otherwise it waits for it.
        assert hosts.count_of("worker.started") == 0


@pytest.mark.parametrize(
    ("host", "cause"), [("203.0.113.9", "is no address of this machine"), ("127.0.1.1", "or a next port is in use")]
)
def test_address_that_cannot_be_used_is_named(place: Place, host: str, cause: str) -> None:
    """It may be the name of this machine before a move, so the run tries again."""
    with hosts_of(place, 1) as hosts, socket.create_server(("127.0.1.1", 0)) as other:
        hosts.addresses = [f"{host}:{other.getsockname()[1]}"]
        hosts.start(0)
        hosts.runs[0].wait_for(lambda: hosts.count_of("run.failed") > 1, "two failures")
        assert hosts.events("run.failed")[0]["error"].startswith(f"{hosts.addresses[0]} {cause}")
        hosts.stop()


def test_stranger_at_the_exchange_harms_nothing(place: Place) -> None:
    """Garbage and silent connections, before the start of the exchange and while it runs."""
    limits: Limits = {**LIMITS, "dataflows.hosts.cluster.START_S": 10}
    with hosts_of(place, 2) as hosts, Strangers(hosts.addresses) as strangers:
        hosts.start(0, 1, limits=limits)
        place.teach("ada")
        place.wait_for_signals(hosts.runs[0], 1)
        assert strangers.connections > 0
        hosts.stop()
