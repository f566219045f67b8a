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

from connectors.kafka.address import REQUEST_MS, Start, TopicAddress, common_options
from connectors.kafka.offsets import look_up
from connectors.kafka.records import records_between
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
        while True:
            try:
                return self._append_once(compose)
            except _FENCED as error:  # another writer came between; the transaction is aborted
                if time.monotonic() > deadline:
                    raise self._error(error) from error
                time.sleep(random.uniform(0.0, 0.2))
            except KafkaError as error:
                raise self._error(error) from error

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

    def _append_once(self, compose: Callable[[bytes | None], bytes]) -> None:
        producer = KafkaProducer(
            **common_options(self._address.servers),
            transactional_id=f"tacit-chain-{self._address.topic}",
            acks="all",
            max_block_ms=REQUEST_MS,
        )
        try:
            producer.init_transactions()
            producer.begin_transaction()
            future = producer.send(self._address.topic, compose(self.newest()), partition=PARTITION)
            producer.flush()
            future.get(REQUEST_MS / 1000)
            producer.commit_transaction()
        finally:
            with suppress(KafkaError):
                producer.close(1)

    def _error(self, error: Exception) -> SinkError:
        advice = "run the command again" if isinstance(error, (*_FENCED, RetriableError)) else "check the broker's log"
        return SinkError(
            f"{self._address} did not take a record ({type(error).__name__}: {error}); "
            f"check that the topic exists and has one partition, and {advice}"
        )
