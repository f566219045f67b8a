"""Sink of rejects: a Kafka topic."""

from bytewax.outputs import DynamicSink, StatelessSinkPartition

from connectors.kafka.address import TopicAddress
from connectors.kafka.producer import DELIVERY_S, CheckedProducer, Header
from state.events.records import AnyReject


class KafkaRejectSink(DynamicSink[AnyReject]):
    """The rejects topic; a batch is written once every record is acknowledged."""

    def __init__(self, address: TopicAddress, *, delivery_s: float = DELIVERY_S) -> None:
        self._address = address
        self._delivery_s = delivery_s

    def build(self, step_id: str, worker_index: int, worker_count: int) -> "KafkaRejectPartition":  # noqa: ARG002  Bytewax passes all three
        """Connect to the topic.

        Raises:
            SinkError: the topic is missing; the run fails at its start, and not at its first reject.
        """
        producer = CheckedProducer(self._address, delivery_s=self._delivery_s)
        producer.require(self._address.topic)
        return KafkaRejectPartition(producer, self._address.topic)


class KafkaRejectPartition(StatelessSinkPartition[AnyReject]):
    """Connection of one worker to the rejects topic."""

    def __init__(self, producer: CheckedProducer, topic: str) -> None:
        self._producer = producer
        self._topic = topic

    def write_batch(self, items: list[AnyReject]) -> None:
        """Write rejects as JSON, with their origin in the headers.

        Raises:
            SinkError: the delivery of a reject failed.
        """
        for reject in items:
            self._producer.send(self._topic, None, reject.to_json(), _headers(reject))
        self._producer.flush()

    def close(self) -> None:
        """Flush and close the connections."""
        self._producer.close()


def _headers(reject: AnyReject) -> list[Header]:
    return [(name, str(value).encode()) for name, value in reject.place().items()]
