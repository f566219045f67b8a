"""Destination of an emitter: a topic, the HTTP API or a file."""

from collections.abc import Sequence
from typing import Literal, NamedTuple, Protocol

from tacit.errors import TacitError

MAX_BATCH_EVENTS = 500
MAX_BATCH_BYTES = 1_000_000
"""Largest batch of a delivery; the HTTP API takes 500 events, and a body of 1 MiB."""


class EncodedEvent(NamedTuple):
    """Event on the way to a destination."""

    key: bytes
    """The user id: events of the same key stay in order."""
    data: bytes
    """The event as JSON."""
    is_control: bool
    """A consent, a pin or a forget."""


class Outcome(NamedTuple):
    """Result of the delivery of an event."""

    state: Literal["accepted", "rejected", "failed"]
    """`rejected` for good; `failed` for now, to be sent again."""
    reason: str = ""


ACCEPTED = Outcome("accepted")


class DeliveryError(TacitError):
    """Failed delivery of a whole batch; the same events have to be sent again, and repeats are ignored."""

    def __init__(self, reason: str, *, retry_after_s: float = 0.0) -> None:
        self.reason = reason
        self.retry_after_s = retry_after_s
        """Least time until the next attempt, as the destination asks for."""
        super().__init__(reason)


class Destination(Protocol):
    """Way out of an emitter, used by a single thread at a time."""

    def deliver(self, events: Sequence[EncodedEvent]) -> Sequence[Outcome]:
        """Return an outcome per event, in order; durable events count as accepted.

        Args:
            events: at most `MAX_BATCH_EVENTS` events of at most `MAX_BATCH_BYTES` together.

        Raises:
            DeliveryError: the destination does not answer, or refuses the whole batch for now.
        """
        ...

    def forget_connections(self) -> None:
        """Drop connections without a byte to the server: the parent of the forked process owns the connections."""
        ...

    def close(self) -> None:
        """Close the connections."""
        ...
