"""Receipts in a file or a topic."""

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec

from connectors.files.appending import append_lines
from dataflows.control.receipts import Receipt, decode_receipt, encode_receipt, is_about
from dataflows.settings import Settings
from tacit.errors import ConfigurationError

_NUMBER = re.compile(r"r-[0-9a-f]{32}")


def store_receipt(settings: Settings, receipt: Receipt) -> None:
    """Append a receipt to the receipts of the settings, if they name a place.

    Raises:
        SinkError: the place did not take it.
    """
    if settings.receipts is None:
        return
    if not settings.receipts.startswith("kafka:"):
        append_lines(Path(settings.receipts), [encode_receipt(receipt)])
        return
    from connectors.kafka.producer import CheckedProducer  # a file needs no Kafka client

    topic = settings.topic(settings.receipts)
    with CheckedProducer(topic) as producer:
        producer.send(topic.topic, receipt.number.encode(), encode_receipt(receipt))


def find_receipt(settings: Settings, place: str, user: bytes) -> Receipt:
    """Return the receipt of a number, or the newest one about the user in a file.

    Raises:
        ConfigurationError: there is none.
    """
    if _NUMBER.fullmatch(place):
        found = [each for each in _stored(settings) if each.number == place]
        if not found:
            raise ConfigurationError([f"receipt: {place} is not among the receipts; check --receipts and the number"])
        return found[-1]
    receipts = list(_in_file(Path(place)))
    about = [each for each in receipts if is_about(each, user)]
    if not about and len(receipts) != 1:
        raise ConfigurationError([f"receipt: {place} has no receipt about the user; check the file and the user id"])
    return (about or receipts)[-1]


def _stored(settings: Settings) -> Iterator[Receipt]:
    if settings.receipts is None:
        raise ConfigurationError(["receipts: is required to find a number; set --receipts, or name the receipt's file"])
    if not settings.receipts.startswith("kafka:"):
        yield from _in_file(Path(settings.receipts))
        return
    from connectors.kafka.records import held_records

    for record in held_records(settings.topic(settings.receipts)):
        yield _decoded(record.value, settings.receipts)


def _in_file(path: Path) -> Iterator[Receipt]:
    """Yield the receipts in a file: one document, or one per line."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ConfigurationError([f"receipt: {path} cannot be read: {error.strerror}; correct the path"]) from error
    try:
        yield decode_receipt(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        yield from (_decoded(line, str(path)) for line in data.splitlines() if line.strip())


def _decoded(data: bytes, place: str) -> Receipt:
    try:
        return decode_receipt(data)
    except (msgspec.MsgspecError, UnicodeDecodeError):
        raise ConfigurationError([f"receipt: {place} has a line that is no receipt; name a file of receipts"]) from None
