"""Address of a Kafka topic, start of its first read, and client options of reader and writer."""

import re
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple, Self

from tacit.errors import ConfigurationError

CONNECT_MS = 10_000
"""Time limit for the first answer of a broker."""

REQUEST_MS = 10_000
"""Time limit for one request; the client then repeats the request."""

_ADDRESS = re.compile(r"kafka://(?P<servers>[^/@?#]+)/(?P<topic>[^/?#]+)")
_SERVER = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\]):(?P<port>\d{1,5})")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_FORM = "kafka://HOST:PORT[,HOST:PORT…]/TOPIC"


class TopicAddress(NamedTuple):
    """A topic, and the brokers that the client asks first."""

    servers: tuple[str, ...]
    topic: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `kafka://HOST:PORT[,HOST:PORT…]/TOPIC`.

        >>> TopicAddress.parse("kafka://a:9092,b:9092/events")
        TopicAddress(servers=('a:9092', 'b:9092'), topic='events')

        Raises:
            ConfigurationError: the text has another form; the message shows neither user nor password.
        """
        parts = _ADDRESS.fullmatch(text)
        if parts is None:
            # The text is not repeated: a wrong address may hold a password.
            raise ConfigurationError([f"a Kafka address must read {_FORM}, without user, password or options"])
        servers = tuple(parts["servers"].split(","))
        problems = [
            f"{server!r} is no HOST:PORT; a Kafka address reads {_FORM}"
            for server in servers
            if not _is_host_and_port(server)
        ]
        if not _TOPIC.fullmatch(parts["topic"]) or parts["topic"] in {".", ".."}:
            problems.append(f"{parts['topic']!r} is no topic name: use up to 249 of A-Z a-z 0-9 . _ -")
        if problems:
            raise ConfigurationError(problems)
        return cls(servers, parts["topic"])

    def __str__(self) -> str:
        return f"kafka://{','.join(self.servers)}/{self.topic}"


class Start(NamedTuple):
    """Start of the first run; later runs resume from their snapshot."""

    kind: Literal["earliest", "latest", "timestamp", "offset"]
    number: int = 0
    """Epoch milliseconds of a timestamp; the offset, which is the same in every partition."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `earliest`, `latest`, a timestamp in epoch milliseconds, or `offset:N`.

        >>> Start.parse("latest"), Start.parse("1795297433438"), Start.parse("offset:42").number
        (Start(kind='latest', number=0), Start(kind='timestamp', number=1795297433438), 42)

        Raises:
            ConfigurationError: the text has none of these forms.
        """
        if text == "earliest":
            return cls("earliest")
        if text == "latest":
            return cls("latest")
        kind, _, number = text.rpartition(":")
        if number.isascii() and number.isdigit() and kind in {"", "offset"}:
            return cls("offset" if kind else "timestamp", int(number))
        raise ConfigurationError(
            [f"{text!r} is no start: use earliest, latest, a timestamp in epoch milliseconds, or offset:N"]
        )


def common_options(servers: tuple[str, ...]) -> dict[str, Any]:
    """Return the kafka-python options that consumers and producers share.

    Every Kafka record batch carries a CRC-32C. In pure Python the checksum costs more than the rest of a read.

    Raises:
        ConfigurationError: the package crc32c is missing.
    """
    if find_spec("crc32c") is None:
        raise ConfigurationError(
            ["the package crc32c is missing; without it Kafka costs five times the CPU: install kafka-python[crc32c]"]
        )
    return {
        "bootstrap_servers": list(servers),
        "client_id": "tacit",
        "allow_auto_create_topics": False,
        "bootstrap_timeout_ms": CONNECT_MS,
        "request_timeout_ms": REQUEST_MS,
        # With the default of 30 s a client stays away long after its broker is back.
        "reconnect_backoff_max_ms": 1_000,
        "metrics_enabled": False,
    }


def _is_host_and_port(server: str) -> bool:
    parts = _SERVER.fullmatch(server)
    return parts is not None and 0 < int(parts["port"]) < 65536
