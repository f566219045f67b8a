"""Writes simulated records to a file or a Kafka topic."""

from collections.abc import Iterable
from pathlib import Path

import msgspec

from connectors.kafka.address import TopicAddress
from connectors.kafka.producer import CheckedProducer
from state.errors import SinkError
from tacit.errors import ConfigurationError


class _HasUser(msgspec.Struct):
    user_id: str


_decode = msgspec.json.Decoder(_HasUser).decode


def write_events(lines: Iterable[bytes], out: str) -> int:
    """Write every record to a `.jsonl` file or `kafka://HOST:PORT/TOPIC`, and return how many there were.

    Raises:
        ConfigurationError: the file's name does not end in `.jsonl`.
        SinkError: the file or the topic cannot be written.
    """
    if out.startswith("kafka:"):
        return _to_kafka(lines, TopicAddress.parse(out))
    if not out.endswith(".jsonl"):
        raise ConfigurationError([f"out: {out} must end in .jsonl, or replay would not take it"])
    return _to_file(lines, Path(out))


def _to_file(lines: Iterable[bytes], path: Path) -> int:
    written = 0
    try:
        with path.open("wb") as file:
            for line in lines:
                file.write(line + b"\n")
                written += 1
    except OSError as error:
        raise SinkError(f"{path} cannot be written: {error.strerror}") from error
    return written


def _to_kafka(lines: Iterable[bytes], address: TopicAddress) -> int:
    written = 0
    with CheckedProducer(address.servers) as producer:
        producer.require(address.topic)
        for line in lines:
            producer.send(address.topic, _key(line), line)
            written += 1
        producer.flush()
    return written


def _key(line: bytes) -> bytes | None:
    """Return the user id, which keeps a user's events in one partition; a broken record has none."""
    try:
        return _decode(line).user_id.encode()
    except (msgspec.MsgspecError, UnicodeError):
        return None
