"""Keys in Redis. No other module builds or splits a key."""

import re
from dataclasses import dataclass

from tacit.contract.pseudonyms import pseudonym_text
from tacit.errors import ConfigurationError

REGION = r"[a-z0-9-]{2,16}"
NAMESPACE = r"[a-z0-9-]{1,32}"

LIVE = "live"
"""Active namespace where the key `active` is missing."""


@dataclass(frozen=True, slots=True)
class RegionKeys:
    """Keys shared by all namespaces of a region.

    The braces are the hash tag of Redis Cluster: all keys of a user share a hash slot.
    https://redis.io/docs/latest/operate/oss_and_stack/reference/cluster-spec/#hash-tags

    Raises:
        ConfigurationError: the region does not match `REGION`.

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
        """STRING: the active namespace."""
        return f"tacit:v1:{self.region}:active"

    @property
    def previous(self) -> str:
        """STRING: the namespace that was active before; in the hash slot of `active`, as one script writes both.

        >>> RegionKeys("eu").previous
        'tacit:v1:eu:{tacit:v1:eu:active}:previous'
        """
        return f"tacit:v1:{self.region}:{{{self.active}}}:previous"

    @property
    def namespaces(self) -> str:
        """SET: the namespaces of all writers."""
        return f"tacit:v1:{self.region}:namespaces"

    @property
    def secret(self) -> str:
        """STRING: fingerprint of the secret behind the pseudonyms of the region."""
        return f"tacit:v1:{self.region}:secret"

    @property
    def check(self) -> str:
        """Key that `tacit check` deletes as a test, and that no command writes."""
        return f"tacit:v1:{self.region}:check"

    @property
    def signals_pattern(self) -> str:
        """Pattern of SCAN that matches the signals of all users in all namespaces."""
        return f"tacit:v1:{self.region}:*:{{*}}:signals"

    def gate(self, user: bytes) -> str:
        """Return the key of a STRING: wipes, consent and pins of a user (`tacit.contract.gates`).

        Args:
            user: 16-byte pseudonym.
        """
        return self.gate_of(pseudonym_text(user))

    def gate_of(self, pseudonym: str) -> str:
        """Return the key of a user's gate, by the pseudonym's text."""
        return f"tacit:v1:{self.region}:{{{pseudonym}}}:gate"

    def history(self, user: bytes) -> str:
        """Return the key of a STRING: last actions and changes of a user (`tacit.contract.history`).

        Args:
            user: 16-byte pseudonym.
        """
        return f"tacit:v1:{self.region}:{{{pseudonym_text(user)}}}:history"

    def within(self, namespace: str) -> "NamespaceKeys":
        """Return the keys of a namespace; ConfigurationError if the name does not match `NAMESPACE`."""
        return NamespaceKeys(self.region, namespace)


@dataclass(frozen=True, slots=True)
class NamespaceKeys:
    """Keys of one namespace; `RegionKeys.within` makes them.

    The keys of the population share a hash slot, as one script writes them.

    >>> RegionKeys("eu").within("live").defaults
    'tacit:v1:eu:{live}:defaults'
    """

    region: str
    namespace: str

    def __post_init__(self) -> None:
        _check("namespace", self.namespace, NAMESPACE)

    def signals(self, user: bytes) -> str:
        """Return the key of a HASH: signals of a user.

        Args:
            user: 16-byte pseudonym.
        """
        return self.signals_of(pseudonym_text(user))

    def signals_of(self, pseudonym: str) -> str:
        """Return the key of a user's signals, by the pseudonym's text."""
        return f"tacit:v1:{self.region}:{self.namespace}:{{{pseudonym}}}:signals"

    @property
    def signals_pattern(self) -> str:
        """Pattern of SCAN that matches the signals of all users."""
        return self.signals_of("*")

    @property
    def changes(self) -> str:
        """STREAM: the users that a live run has just written; `users` has their pseudonyms, separated by commas."""
        return f"tacit:v1:{self.region}:{{{self.namespace}}}:changes"

    @property
    def defaults(self) -> str:
        """HASH: the population's signal per facet."""
        return f"tacit:v1:{self.region}:{{{self.namespace}}}:defaults"

    @property
    def population(self) -> str:
        """STRING: number of the newest population version."""
        return f"tacit:v1:{self.region}:{{{self.namespace}}}:population"

    def population_version(self, number: int) -> str:
        """Return the key of a STRING, written once: the population version of this number."""
        return f"{self.population}:{number}"

    @property
    def owner(self) -> str:
        """HASH: the state folder that the signals come from, and the live run with its lease."""
        return f"tacit:v1:{self.region}:{{{self.namespace}}}:owner"

    @property
    def hosts(self) -> str:
        """HASH: the hosts of a live run on several machines, and their plan."""
        return f"tacit:v1:{self.region}:{{{self.namespace}}}:hosts"

    @property
    def replay_hosts(self) -> str:
        """HASH: the hosts of a replay on several machines, and their plan; a live run may have its own next to it."""
        return f"tacit:v1:{self.region}:{{{self.namespace}}}:replay:hosts"

    def replay_round(self, start: str) -> str:
        """Return the key of a HASH: the open round of a replay on several machines.

        Args:
            start: name of the common start of the hosts.
        """
        return f"tacit:v1:{self.region}:{{{self.namespace}}}:replay:round:{start}"

    @property
    def proof(self) -> str:
        """STRING: report of the proof that signals help, for operators."""
        return f"tacit:v1:{self.region}:{{{self.namespace}}}:proof"

    @property
    def population_pinned(self) -> str:
        """SET: numbers of the population versions that never expire."""
        return f"{self.population}:pinned"


def active_namespace(value: object) -> str:
    """Return the namespace in the value of the key `active`; `LIVE` without a value, and for one that is no name.

    >>> active_namespace(b"next"), active_namespace(b"no name"), active_namespace(None)
    ('next', 'live', 'live')
    """
    name = value.decode("utf-8", "replace") if isinstance(value, bytes) else LIVE
    return name if re.fullmatch(NAMESPACE, name) else LIVE


def hash_tag(key: str) -> str:
    """Return the hash tag of a key: the pseudonym of a user's key, the namespace of a population's key.

    >>> hash_tag("tacit:v1:eu:live:{k1.0000}:signals")
    'k1.0000'
    """
    return key.partition("{")[2].partition("}")[0]


def namespace_of(key: str) -> str:
    """Return the namespace in the key of a user's signals.

    >>> namespace_of("tacit:v1:eu:live:{k1.0000}:signals")
    'live'
    """
    return key.split(":", 4)[3]


def _check(kind: str, name: str, pattern: str) -> None:
    if not re.fullmatch(pattern, name):
        raise ConfigurationError([f"{kind} {name!r} is not a name: it must match {pattern}"])
