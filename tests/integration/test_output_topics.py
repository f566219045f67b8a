"""A topic of rejects that is the source, on a real broker."""

import pytest

from connectors.kafka.address import Start, TopicAddress
from connectors.kafka.offsets import look_up
from dataflows.outputs import refuse_outputs_in
from dataflows.settings import Settings
from tacit.errors import ConfigurationError
from tests.support.commands import SECRET, tacit
from tests.support.kafka_topics import Kafka


def test_topic_is_known_by_another_address_of_the_cluster(kafka: Kafka) -> None:
    """The id of the cluster decides, not the name of a broker."""
    source = f"kafka://{kafka.servers}/events"
    with pytest.raises(ConfigurationError, match=r"rejects: .* is the topic of the source"):
        refuse_outputs_in([source], Settings(secret=SECRET, rejects=source.replace("127.0.0.1", "localhost")))


def test_live_run_writes_no_reject_into_its_source(kafka: Kafka, redis_url: str) -> None:
    """One record would become a record after the other."""
    topic = kafka.create_topic(1)
    kafka.produce(topic, [b"{not json"])
    source = f"kafka://{kafka.servers}/{topic}"
    done = tacit("run", source, "--redis", redis_url, "--rejects", source)
    assert (done.returncode, "is the topic of the source" in done.stderr) == (2, True)
    [held] = look_up(TopicAddress.parse(source), Start("earliest")).values()
    assert (held.begin, held.end) == (0, 1)
