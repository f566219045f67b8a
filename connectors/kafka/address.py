"""Address of a Kafka topic, start of its first read, and client options of reader and writer."""

import re
from importlib.util import find_spec
from typing import Any, Literal, NamedTuple, Self

from connectors.kafka.client_options import DEFAULT_CLIENT, ClientOptions
from connectors.kafka.times import parse_time
from tacit.errors import ConfigurationError

_ADDRESS = re.compile(r"kafka://(?P<servers>[^/@?#]+)/(?P<topic>[^/?#]+)")
_SERVER = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:]+\]):(?P<port>\d{1,5})")
_TOPIC = re.compile(r"[A-Za-z0-9._-]{1,249}")
_FORM = "kafka://HOST:PORT[,HOST:PORT…]/TOPIC"
_OFFSET = re.compile(r"offset:(?P<offset>[0-9]{1,18})")
_OFFSETS = re.compile(r"(?:offset:)?[0-9]{1,9}:[0-9]{1,18}(?:,[0-9]{1,9}:[0-9]{1,18})*")
_STARTS = "earliest, latest, a time with its zone, a date, epoch milliseconds, offset:N, or offset:0:100,1:250"


class TopicAddress(NamedTuple):
    """A topic, the brokers that the client asks first, and the options of the client.

    `Settings.topic` makes the address of a run or a command: it adds the options of the settings.
    """

    servers: tuple[str, ...]
    topic: str
    client: ClientOptions = DEFAULT_CLIENT

    @classmethod
    def parse(cls, text: str, client: ClientOptions = DEFAULT_CLIENT) -> Self:
        """Parse `kafka://HOST:PORT[,HOST:PORT…]/TOPIC`.

        >>> TopicAddress.parse("kafka://a:9092,b:9092/events").servers
        ('a:9092', 'b:9092')

        Raises:
            ConfigurationError: the text has another form; the message shows neither user nor password.
        """
        parts = _ADDRESS.fullmatch(text)
        if parts is None:
            # The text is not repeated: a wrong address may hold a password.
            raise ConfigurationError(
                [f"a Kafka address must read {_FORM}, without user, password or options; [kafka] of the file has these"]
            )
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
        return cls(servers, parts["topic"], client)

    def __str__(self) -> str:
        return f"kafka://{','.join(self.servers)}/{self.topic}"


class Start(NamedTuple):
    """Position in a topic: the start of a first run, or the end of a range. Later runs resume from their snapshot."""

    kind: Literal["earliest", "latest", "timestamp", "offset"]
    number: int = 0
    """Epoch milliseconds of a timestamp; the offset, if it is the same in every partition."""
    offsets: tuple[tuple[int, int], ...] = ()
    """Number and offset of each partition, if the offsets differ."""

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `earliest`, `latest`, a time, `offset:N`, or `offset:0:100,1:250` with an offset per partition.

        A time is ISO 8601 with a zone, a date (its beginning in UTC), or epoch milliseconds.

        >>> Start.parse("latest").kind, Start.parse("1795297433438").number, Start.parse("offset:42").number
        ('latest', 1795297433438, 42)
        >>> Start.parse("2026-11-21T09:30:00+01:00").number, Start.parse("offset:0:100,1:250").offsets
        (1795249800000, ((0, 100), (1, 250)))

        Raises:
            ConfigurationError: the text has none of these forms, or a time has no zone.
        """
        if text == "earliest":
            return cls("earliest")
        if text == "latest":
            return cls("latest")
        if offset := _OFFSET.fullmatch(text):
            return cls("offset", int(offset["offset"]))
        if _OFFSETS.fullmatch(text):
            pairs = [pair.split(":") for pair in text.removeprefix("offset:").split(",")]
            offsets = {int(partition): int(number) for partition, number in pairs}
            if len(offsets) == len(pairs):
                return cls("offset", 0, tuple(sorted(offsets.items())))
        elif (at_ms := parse_time(text)) is not None:
            return cls("timestamp", at_ms)
        raise ConfigurationError([f"{text!r} is no start: use {_STARTS}"])


def common_options(address: TopicAddress) -> dict[str, Any]:
    """Return the kafka-python options that consumers and producers share.

    Every Kafka record batch carries a CRC-32C. In pure Python the checksum costs more than the rest of a read.

    Raises:
        ConfigurationError: the package crc32c is missing.
    """
    if find_spec("crc32c") is None:
        raise ConfigurationError(
            ["the package crc32c is missing; without it Kafka costs five times the CPU: install kafka-python[crc32c]"]
        )
    return admin_options(address) | {"allow_auto_create_topics": False, "metrics_enabled": False}


def admin_options(address: TopicAddress) -> dict[str, Any]:
    """Return the kafka-python options of an admin client."""
    return {"bootstrap_servers": list(address.servers)} | address.client.as_dict()


def _is_host_and_port(server: str) -> bool:
    parts = _SERVER.fullmatch(server)
    return parts is not None and 0 < int(parts["port"]) < 65536
