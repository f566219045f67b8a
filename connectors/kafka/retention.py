"""Retention of a topic: how long Kafka keeps a record."""

from typing import NamedTuple

from kafka import KafkaAdminClient  # type: ignore[import-untyped]
from kafka.admin import ConfigResource, ConfigResourceType  # type: ignore[import-untyped]
from kafka.errors import KafkaError  # type: ignore[import-untyped]

from connectors.kafka.address import TopicAddress, admin_options
from state.errors import SourceError

_UNLIMITED = -1
_OPTIONS = ("retention.ms", "cleanup.policy", "segment.ms")


class Retention(NamedTuple):
    """Time after which Kafka deletes a record."""

    age_ms: int | None
    """Age at which a closed segment is deleted; None: unlimited."""
    segment_ms: int
    """Longest time that a segment stays open: a record may live longer by this time."""
    compacted: bool
    """Only a newer record of the same key replaces a record."""

    @property
    def is_unlimited(self) -> bool:
        """True if time deletes no record."""
        return self.age_ms is None or self.compacted


def topic_retention(address: TopicAddress) -> Retention:
    """Return the retention of a topic.

    Raises:
        SourceError: no broker answers, the topic is missing, or the right to describe its configuration is.
    """
    try:
        admin = KafkaAdminClient(**admin_options(address))
        try:
            resource = ConfigResource(ConfigResourceType.TOPIC, address.topic)
            answer = admin.describe_configs([resource], config_filter="all")
        finally:
            admin.close()
    except KafkaError as error:
        raise SourceError(
            f"{address}: its configuration cannot be read ({type(error).__name__}); check the topic and the rights"
        ) from error
    (topics,) = answer.values()
    options = topics.get(address.topic, {})
    if not options:
        raise SourceError(f"{address}: there is no such topic; create it, or correct the name")
    found = {name: str(options[name]["value"]) for name in _OPTIONS}
    age_ms = int(found["retention.ms"])
    policies = found["cleanup.policy"].split(",")
    return Retention(None if age_ms == _UNLIMITED else age_ms, int(found["segment.ms"]), "delete" not in policies)
