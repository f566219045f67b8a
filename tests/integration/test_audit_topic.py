"""Audit in a topic: writers take turns, and a verification reads the chain."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from kafka import KafkaProducer  # type: ignore[import-untyped]
from kafka.errors import KafkaError  # type: ignore[import-untyped]

from connectors.kafka.address import TopicAddress
from connectors.kafka.chained_topic import ChainedTopic
from dataflows.control.audit import record, require, verify_audit
from dataflows.settings import Settings, load
from state.errors import SinkError
from tests.support.kafka_broker import KAFKA_TEST
from tests.support.kafka_topics import Kafka

pytestmark = [*KAFKA_TEST, pytest.mark.usefixtures("refused_connections")]

USER = bytes(range(16))


def settings(kafka: Kafka, topic: str) -> Settings:
    return load({"audit": f"kafka://{kafka.servers}/{topic}", "embedded": True})


def test_concurrent_writers_make_one_chain(kafka: Kafka) -> None:
    """Each append continues the newest line, whoever wrote it."""
    topic = kafka.create_topic()
    used = settings(kafka, topic)
    with ThreadPoolExecutor(3) as pool:
        for done in [pool.submit(record, used, "export", USER, "done") for _ in range(6)]:
            done.result()
    found = verify_audit([str(used.audit)])
    assert (found.lines, found.tip.seq, found.problems) == (6, 6, ())


@pytest.mark.parametrize("commits", [True, False])
def test_commit_without_an_answer_is_looked_up(
    kafka: Kafka,
    monkeypatch: pytest.MonkeyPatch,
    commits: bool,
) -> None:
    """The line is there once, whether the broker committed before the answer was lost or not."""
    topic = kafka.create_topic()
    used = settings(kafka, topic)
    commit, lost = KafkaProducer.commit_transaction, iter((True,))

    def without_answer(producer: KafkaProducer) -> None:
        is_lost = next(lost, False)
        if commits or not is_lost:
            commit(producer)
        if is_lost:
            raise KafkaError("Unhandled error in EndTxnResponse")

    monkeypatch.setattr(KafkaProducer, "commit_transaction", without_answer)
    record(used, "export", USER, "done")
    record(used, "forget", USER, "done")
    found = verify_audit([str(used.audit)])
    assert (found.lines, found.tip.seq, found.problems) == (2, 2, ())


def test_lines_that_retention_deleted_are_a_note(kafka: Kafka) -> None:
    """The rest of the chain is checked, and a noted hash shows that nothing newer is gone."""
    topic = kafka.create_topic()
    used = settings(kafka, topic)
    for _ in range(3):
        record(used, "export", USER, "done")
    kafka.delete_before(topic, 0, 2)
    found = verify_audit([str(used.audit)])
    assert (found.lines, found.problems, len(found.notes)) == (2, (), 1)


def test_an_inserted_record_is_found(kafka: Kafka) -> None:
    """A producer that is no writer of the audit."""
    topic = kafka.create_topic()
    used = settings(kafka, topic)
    record(used, "export", USER, "done")
    [(_, line)] = ChainedTopic(TopicAddress.parse(str(used.audit))).records()
    record(used, "export", USER, "done")
    kafka.produce(topic, [line])
    assert [problem.kind for problem in verify_audit([str(used.audit)]).problems] == ["reordered"]


def test_a_topic_with_several_partitions_is_turned_away(kafka: Kafka) -> None:
    """Before the action."""
    topic = kafka.create_topic(partitions=2)
    with pytest.raises(SinkError, match="one partition"):
        require(settings(kafka, topic))
