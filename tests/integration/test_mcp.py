"""`tacit mcp`, a real service, a worker and Kafka: a setting that a model passes on is in the context at once."""

from pathlib import Path

import redis

from tests.support.commands import running
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka
from tests.support.mcp_clients import Tools, on_stdio
from tests.support.service import serving

pytestmark = KAFKA_TEST


def test_setting_and_forget_are_seen_by_the_next_read(
    kafka: Kafka, redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    """Each action waits for its effect."""
    topic = f"kafka://{kafka.servers}/{kafka.create_topic()}"
    words = ["run", topic, "--redis", redis_url, "--metrics", "off", "--checkpoint-every", "1"]

    async def use(tools: Tools) -> None:
        await tools.call("consent", granted=True)  # also waits for the worker's start
        done = await tools.call("prefer", facet="length", value="concise")
        assert done["took_ms"] is not None
        context = await tools.call("read_context")
        assert (context["status"], context["preferences"][0]["strength"]) == ("fresh", "pin")
        assert "Set by the user: length concise" in await tools.read("tacit://description")
        assert (await tools.call("forget", confirm=True))["took_ms"] is not None
        assert (await tools.call("read_context"))["status"] == "absent"

    with running(words, tmp_path / "run.log") as worker, serving(tmp_path, redis_url, "--source", topic) as service:
        worker.wait_for(lambda: redis_client.keys("*owner*"), "the worker's start")
        on_stdio(service.url, service.key, tmp_path / "mcp.log", use, "--user", "ada")
    assert (tmp_path / "mcp.log").read_text() == ""
