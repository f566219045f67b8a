"""Namespaces of the region that the settings of a command name."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from connectors.population.proof_reader import ProofReader
from connectors.redis.client import COMMAND_RETRY_FOR_S, RedisClient
from connectors.redis.namespaces import Namespaces
from dataflows.settings import Settings
from state.learning.proof_report import ProofReport
from tacit.contract.keys import RegionKeys

"""Limit of retries: a user waits for the command."""


@contextmanager
def namespaces_of(settings: Settings, *, advice: str = "") -> Iterator[Namespaces]:
    """Yield the namespaces, and close the connection at the end.

    Args:
        settings: Redis and region.
        advice: end of the text of an error of Redis.
    """
    client = RedisClient(settings.redis, retry_for_s=COMMAND_RETRY_FOR_S, advice=advice)
    with closing(Namespaces(client, RegionKeys(settings.region))) as namespaces:
        yield namespaces


def proof_of(settings: Settings, namespace: str) -> ProofReport | None:
    """Return the report of proof of a namespace; None without one.

    Raises:
        StateError: the key holds no report.
    """
    client = RedisClient(settings.redis, retry_for_s=COMMAND_RETRY_FOR_S)
    with closing(ProofReader(client, RegionKeys(settings.region).within(namespace))) as store:
        return store.read()
