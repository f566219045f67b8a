"""Inspection of a state folder, and a rebuild of Redis, while a live run writes checkpoints."""

import json
from collections.abc import Iterator
from itertools import chain, islice
from pathlib import Path

import pytest

from dataflows.inspection import inspect
from dataflows.state_folder import DESCRIPTION
from state.catalogue.numbered import NumberedCatalogue
from tacit.contract.pseudonyms import pseudonym
from tacit_cli.views.folder_stats import folder_stats
from tests.support.commands import SECRET, running, tacit
from tests.support.conditions import eventually
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka
from tests.support.live_run import History, Live, left_by_topic
from tests.support.rebuilds import as_json, decided, held, rebuild_into
from tests.support.redis_faults import FragileRedis, fragile_redis
from tests.support.replays import now_ms

pytestmark = KAFKA_TEST

CHECKPOINTS = 5


@pytest.fixture(scope="module")
def history(tmp_path_factory: pytest.TempPathFactory, kafka: Kafka) -> History:
    return History.made(tmp_path_factory.mktemp("history"), turns=6_000, kafka=kafka)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[FragileRedis]:
    with fragile_redis(tmp_path) as server:
        yield server


@pytest.fixture
def live(history: History, kafka: Kafka, server: FragileRedis, tmp_path: Path) -> Live:
    return Live(history, kafka, server, tmp_path)


def test_inspection_succeeds_while_two_processes_write_checkpoints(
    history: History, kafka: Kafka, server: FragileRedis, tmp_path: Path
) -> None:
    """The run is unaffected; each read state is at least as new as the one before."""
    state, topic, user_id = tmp_path / "state", kafka.create_topic(), "user-000003"
    arguments = ["run", f"kafka://{kafka.servers}/{topic}", "--redis", server.url, "--state", str(state)]
    events = chain(*history.halves)
    counts, checkpoints = [0], [0]
    with running(
        [*arguments, "--processes", "2", "--checkpoint-every", "1", "--metrics", "off"], tmp_path / "log"
    ) as run:
        run.wait_for(lambda: (state / DESCRIPTION).exists(), "a state folder")
        checkpoint_reader = inspect(state, NumberedCatalogue.load()).checkpoints
        while checkpoints[-1] < CHECKPOINTS:
            kafka.produce(topic, islice(events, 50))
            found, _ = checkpoint_reader.get(pseudonym(user_id, SECRET.encode()))
            stats = folder_stats(state, now_ms())
            counts.append(found.seq if found else 0)
            checkpoints.append(stats["checkpoint"] or 0)
        assert stats["used_by_pid"] == run.process.pid
        done = tacit("state", "show", user_id, "--state", str(state), "--json", TACIT_AUDIT=str(tmp_path / "audit"))
        assert run.stop() == 0, run.output
    assert (done.returncode, done.stderr) == (0, "")
    assert json.loads(done.stdout)["seq"] >= counts[-1] > 0
    assert counts == sorted(counts)
    assert len(checkpoints) > 2 * CHECKPOINTS
    assert '"level": "error"' not in run.output


def test_emptied_redis_is_rebuilt_during_a_run(
    live: Live, history: History, kafka: Kafka, server: FragileRedis, tmp_path: Path
) -> None:
    """A rebuild restores the signals of the last checkpoint; the run then ends like an undisturbed one."""
    expected = decided(as_json(left_by_topic(kafka, history.halves[0], tmp_path)))
    live.produce(0)
    with running(live.words(*live.state()), tmp_path / "log") as run:
        live.wait_for_first_half(run)

        def is_rebuilt() -> bool:
            server.client.flushall()
            rebuild_into(server.url, tmp_path / "state")
            return decided(held(server.client)).items() >= expected.items()

        eventually(is_rebuilt, within_s=60, what="a checkpoint that holds the first half")
        live.produce(1)
        left = decided(as_json(history.left))
        run.wait_for(lambda: decided(held(server.client)) == left, "the values that an undisturbed run leaves")
        assert run.stop() == 0, run.output
