"""The example assistant, a real worker and Kafka: it asks, learns, follows settings, and forgets."""

from collections.abc import Callable
from pathlib import Path

import redis

from examples.assistant import ASK_CONSENT, Assistant, Conversation, destination, reply
from tacit import Catalogue, Emitter, SignalReader
from tests.support.commands import SECRET, running
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka

pytestmark = KAFKA_TEST

CATALOGUE = Catalogue.load()
PLAIN = "[You help with programming.]"


def test_each_step_is_seen_in_a_later_answer(
    kafka: Kafka, redis_url: str, redis_client: redis.Redis, tmp_path: Path
) -> None:
    """A consent, directed feedback, a setting and a forget."""
    topic = f"kafka://{kafka.servers}/{kafka.create_topic()}"
    words = ["run", topic, "--redis", redis_url, "--metrics", "off", "--checkpoint-every", "1"]
    with (
        running(words, tmp_path / "log") as worker,
        SignalReader(redis_url, region="eu", secret=SECRET) as reader,
        Emitter(destination(topic), catalogue=CATALOGUE) as emitter,
    ):
        assistant = Assistant(reader, emitter, CATALOGUE)
        units = map(str, range(10_000))

        def conversation() -> Callable[[str], list[str]]:
            held = Conversation("ada", next(units))
            return lambda line: reply(assistant, held, line)

        def gets_shorter() -> bool:
            talk = conversation()
            answer = talk("How do I find a value?")
            talk("/shorter")
            return "Keep answers short." in answer[0]

        talk = conversation()
        first = talk("How do I find a value?")
        assert (first[0], first[-1]) == (PLAIN, ASK_CONSENT)
        talk("/yes")
        worker.wait_for(lambda: ASK_CONSENT not in conversation()("Again?"), "the consent")
        worker.wait_for(gets_shorter, "short answers")
        assert "length concise" in talk("/context")[0]
        talk("/set tone friendly")
        worker.wait_for(lambda: "Good question!" in talk("Again?"), "the setting")
        talk("/forget")
        worker.wait_for(lambda: talk("Again?")[0] == PLAIN, "the forget")
        assert redis_client.keys("*:signals") == []
        assert emitter.counts()[2:] == (0, 0, {})
