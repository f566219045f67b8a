"""Identity of a Kafka cluster."""

from connectors.kafka.address import TopicAddress
from connectors.kafka.offsets import source_errors
from connectors.kafka.topic_admin import TopicAdmin


def cluster_id(address: TopicAddress) -> str:
    """Return the id of the cluster with a topic, which is the same for all of its brokers.

    Raises:
        SourceError: no broker answers in time.
    """
    with source_errors(address), TopicAdmin(address) as admin:
        return admin.cluster()
