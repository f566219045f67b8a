"""Namespaces of the region that the settings of a command name."""

from collections.abc import Iterator
from contextlib import closing, contextmanager

from connectors.population.proof_reader import ProofReader
from connectors.redis.client import RedisClient
from connectors.redis.namespaces import Namespaces
from dataflows.settings import Settings
from state.learning.proof_report import ProofReport
from tacit.contract.keys import RegionKeys

RETRY_FOR_S = 5.0
"""Limit of retries: a user waits for the command."""


@contextmanager
def namespaces_of(settings: Settings) -> Iterator[Namespaces]:
    """Yield the namespaces, and close the connection at the end."""
    keys = RegionKeys(settings.region)
    with closing(Namespaces(RedisClient(settings.redis, retry_for_s=RETRY_FOR_S), keys)) as namespaces:
        yield namespaces


def proof_of(settings: Settings, namespace: str) -> ProofReport | None:
    """Return the report of proof of a namespace; None without one.

    Raises:
        StateError: the key holds no report.
    """
    client = RedisClient(settings.redis, retry_for_s=RETRY_FOR_S)
    with closing(ProofReader(client, RegionKeys(settings.region).within(namespace))) as store:
        return store.read()
