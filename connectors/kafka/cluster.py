"""Identity of a Kafka cluster."""

from kafka import KafkaAdminClient  # type: ignore[import-untyped]
from kafka.errors import KafkaError  # type: ignore[import-untyped]

from connectors.kafka.address import TopicAddress, common_options
from state.errors import SourceError

_ADMIN_OPTIONS = KafkaAdminClient.DEFAULT_CONFIG.keys()


def cluster_id(address: TopicAddress) -> str:
    """Return the id of the cluster with a topic, which is the same for all of its brokers.

    Raises:
        SourceError: no broker answers in time.
    """
    client = None
    common = common_options(address.servers)
    try:
        client = KafkaAdminClient(**{name: value for name, value in common.items() if name in _ADMIN_OPTIONS})
        found: str = client.describe_cluster()["cluster_id"]
    except KafkaError as error:
        raise SourceError(
            f"{address}: no answer ({type(error).__name__}); check the address, and that a broker listens there"
        ) from error
    else:
        return found
    finally:
        if client is not None:
            client.close()
