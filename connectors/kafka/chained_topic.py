"""Append-only topic of records that depend on each other: its writers take turns by a transaction.

All writers share one `transactional.id`, and Kafka admits one of them: a newer writer ends the transaction of an older
one, which then starts again behind the records of the newer one.
https://kafka.apache.org/documentation/#producerconfigs_transactional.id
"""

import random
import time
from collections.abc import Callable, Iterator
from contextlib import suppress

from kafka import KafkaProducer  # type: ignore[import-untyped]
from kafka.errors import (  # type: ignore[import-untyped]
    InvalidProducerEpochError,
    KafkaError,
    ProducerFencedError,
    RetriableError,
)

from connectors.kafka.address import Start, TopicAddress, common_options
from connectors.kafka.client_options import REQUEST_MS
from connectors.kafka.offsets import look_up
from connectors.kafka.records import records_at, records_between
from state.errors import SinkError

APPEND_S = 30.0
"""Time limit for an append, waits for other writers included."""

PARTITION = 0

_FENCED = (ProducerFencedError, InvalidProducerEpochError)


class ChainedTopic:
    """Topic with one partition that holds the chain."""

    def __init__(self, address: TopicAddress) -> None:
        self._address = address

    def require(self) -> None:
        """Check that the topic exists and has one partition.

        Raises:
            SinkError: it has more than one.
            SourceError: no broker answers, or the topic is missing.
        """
        if len(look_up(self._address, Start("earliest"))) != 1:
            raise SinkError(
                f"{self._address} has several partitions, and a chain needs one; create a topic with one partition"
            )

    def append(self, compose: Callable[[bytes | None], bytes]) -> None:
        """Append the record that `compose` makes from the newest record, None without one.

        Raises:
            SinkError: the topic did not take the record in time.
        """
        deadline = time.monotonic() + APPEND_S
        unconfirmed: list[tuple[int, bytes]] = []
        while True:
            try:
                return self._append_once(compose, unconfirmed)
            except KafkaError as error:
                # another writer came between, or the broker did not answer the commit
                repeats = bool(unconfirmed) or isinstance(error, _FENCED)
                if not repeats or time.monotonic() > deadline:
                    raise self._error(error) from error
                time.sleep(random.uniform(0.0, 0.2))

    def records(self) -> Iterator[tuple[int, bytes]]:
        """Yield the committed records of today, each with its offset.

        Raises:
            SourceError: the topic cannot be read.
        """
        held = look_up(self._address, Start("earliest"))[PARTITION]
        for record in records_between(self._address, PARTITION, held.begin, held.end):
            yield record.offset, record.value

    def newest(self) -> bytes | None:
        """Return the newest record; None for an empty topic."""
        held = look_up(self._address, Start("earliest"))[PARTITION]
        back = 4  # the newest offset is the marker of a transaction
        while True:
            start = max(held.begin, held.end - back)
            found = [record.value for record in records_between(self._address, PARTITION, start, held.end)]
            if found or start == held.begin:
                return found[-1] if found else None
            back *= 4

    def _append_once(self, compose: Callable[[bytes | None], bytes], unconfirmed: list[tuple[int, bytes]]) -> None:
        """Append a record, unless one of the `unconfirmed` ones is committed.

        `unconfirmed` are offsets and values of records without an answer to their commit. The start of the next
        transaction ends the one before, so a look shows then whether a record is there.
        """
        producer = KafkaProducer(
            **common_options(self._address),
            transactional_id=f"tacit-chain-{self._address.topic}",
            acks="all",
            max_block_ms=REQUEST_MS,
        )
        try:
            producer.init_transactions()
            if any(map(self._holds, unconfirmed)):
                return
            producer.begin_transaction()
            record = compose(self.newest())
            future = producer.send(self._address.topic, record, partition=PARTITION)
            producer.flush()
            offset = future.get(REQUEST_MS / 1000).offset
            unconfirmed.append((offset, record))
            producer.commit_transaction()
        finally:
            with suppress(KafkaError):
                producer.close(1)

    def _holds(self, sent: tuple[int, bytes]) -> bool:
        offset, value = sent
        return any(held.value == value for held in records_at(self._address, PARTITION, [offset]))

    def _error(self, error: Exception) -> SinkError:
        advice = "run the command again" if isinstance(error, (*_FENCED, RetriableError)) else "check the broker's log"
        return SinkError(
            f"{self._address} did not take a record ({type(error).__name__}: {error}); "
            f"check that the topic exists and has one partition, and {advice}"
        )
