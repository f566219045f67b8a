"""Every key Tacit has in Redis, by the contract's names. Readers use them too: this module imports nothing heavy."""

import re
from dataclasses import dataclass

from tacit.contract.pseudonyms import pseudonym_text
from tacit.errors import ConfigurationError

REGION = r"[a-z0-9-]{2,16}"
NAMESPACE = r"[a-z0-9-]{1,32}"

LIVE = "live"
"""The namespace that Copilot reads while `active` names no other."""


@dataclass(frozen=True, slots=True)
class RegionKeys:
    """Keys that all namespaces of a region share.

    The braces are Redis Cluster's hash tag: all keys of a person share a slot.
    https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags

    Raises:
        ConfigurationError: the region is not one that the contract allows.

    >>> RegionKeys("eu").gate(bytes(16))
    'tacit:v1:eu:{k1.00000000000000000000000000000000}:gate'
    >>> RegionKeys("eu").within("live").signals(bytes(16))
    'tacit:v1:eu:live:{k1.00000000000000000000000000000000}:signals'
    """

    region: str

    def __post_init__(self) -> None:
        _check("region", self.region, REGION)

    @property
    def active(self) -> str:
        """STRING: the namespace that Copilot reads."""
        return f"tacit:v1:{self.region}:active"

    @property
    def namespaces(self) -> str:
        """SET: the namespaces that writers use."""
        return f"tacit:v1:{self.region}:namespaces"

    def gate(self, user: bytes) -> str:
        """Return the STRING with a person's last wipe and consent; `user` is the 16-byte digest."""
        return f"tacit:v1:{self.region}:{{{pseudonym_text(user)}}}:gate"

    def within(self, namespace: str) -> "NamespaceKeys":
        """Return the keys of one namespace; ConfigurationError if it is not a name."""
        return NamespaceKeys(self.region, namespace)


@dataclass(frozen=True, slots=True)
class NamespaceKeys:
    """Keys of one namespace: `RegionKeys.within`.

    Those of the population share a slot of Redis Cluster, as one script writes them.

    >>> RegionKeys("eu").within("live").defaults
    'tacit:v1:eu:{live}:defaults'
    """

    region: str
    namespace: str

    def __post_init__(self) -> None:
        _check("namespace", self.namespace, NAMESPACE)

    def signals(self, user: bytes) -> str:
        """Return the HASH of a person's signals; `user` is the 16-byte digest."""
        return f"tacit:v1:{self.region}:{self.namespace}:{{{pseudonym_text(user)}}}:signals"

    @property
    def defaults(self) -> str:
        """HASH: a signal per facet for someone of whom nothing is known."""
        return f"tacit:v1:{self.region}:{{{self.namespace}}}:defaults"

    @property
    def population(self) -> str:
        """STRING: number of the newest population belief."""
        return f"tacit:v1:{self.region}:{{{self.namespace}}}:population"

    def population_belief(self, number: int) -> str:
        """Return the STRING, written once, that holds the population belief of that number."""
        return f"{self.population}:{number}"

    @property
    def population_pinned(self) -> str:
        """SET: numbers of population beliefs that are kept for good."""
        return f"{self.population}:pinned"


def _check(what: str, name: str, pattern: str) -> None:
    if not re.fullmatch(pattern, name):
        raise ConfigurationError([f"{what} {name!r} is not a name: it must match {pattern}"])
