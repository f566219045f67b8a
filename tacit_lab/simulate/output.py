"""Output of simulated records: a file or a Kafka topic."""

import gzip
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from typing import BinaryIO, cast

import msgspec
import zstandard

from connectors.files.paths import SUFFIXES
from connectors.kafka.address import TopicAddress
from connectors.kafka.client_options import DEFAULT_CLIENT, ClientOptions
from connectors.kafka.producer import CheckedProducer
from state.durable import replacing
from state.errors import SinkError
from tacit.errors import ConfigurationError


class _HasUser(msgspec.Struct):
    user_id: str


_decode = msgspec.json.Decoder(_HasUser).decode


def write_events(lines: Iterable[bytes], out: str, client: ClientOptions = DEFAULT_CLIENT) -> int:
    """Write records to a file or a topic, and return the count.

    A file appears when it is complete; a reader never finds a part of it.

    Args:
        lines: records, each without a newline.
        out: path of a `.jsonl`, `.jsonl.gz` or `.jsonl.zst` file, or `kafka://HOST:PORT/TOPIC`.
        client: options of the Kafka client.

    Raises:
        ConfigurationError: the name of the file ends otherwise, or the address is invalid.
        SinkError: the file or the topic cannot be written.
    """
    if out.startswith("kafka:"):
        return _to_kafka(lines, TopicAddress.parse(out, client))
    if not out.endswith(SUFFIXES):
        raise ConfigurationError([f"out: {out}: the name of an event file must end in {', '.join(SUFFIXES)}"])
    return _to_file(lines, Path(out))


def _to_file(lines: Iterable[bytes], path: Path) -> int:
    written = 0
    try:
        with replacing(path) as file, _compressor(path)(file) as compressed:
            for line in lines:
                compressed.write(line + b"\n")
                written += 1
    except OSError as error:
        raise SinkError(
            f"{path} cannot be written: {error.strerror}; make room, make the folder writable, or give another path"
        ) from error
    return written


def _compressor(path: Path) -> Callable[[BinaryIO], AbstractContextManager[BinaryIO]]:
    return {".gz": _gzip, ".zst": _zstd}.get(path.suffix, nullcontext)


def _gzip(file: BinaryIO) -> AbstractContextManager[BinaryIO]:
    # Neither name nor time: the same scenario gives the same bytes.
    return cast("AbstractContextManager[BinaryIO]", gzip.GzipFile("", "wb", fileobj=file, mtime=0))


def _zstd(file: BinaryIO) -> AbstractContextManager[BinaryIO]:
    return zstandard.ZstdCompressor().stream_writer(file, closefd=False)


def _to_kafka(lines: Iterable[bytes], address: TopicAddress) -> int:
    written = 0
    with CheckedProducer(address) as producer:
        producer.require(address.topic)
        for line in lines:
            producer.send(address.topic, _key(line), line)
            written += 1
        producer.flush()
    return written


def _key(line: bytes) -> bytes | None:
    """Return the user id, which keeps a user's events in one partition; None for a broken record."""
    try:
        return _decode(line).user_id.encode()
    except (msgspec.MsgspecError, UnicodeError):
        return None
