"""Destination of an emitter whose deliveries a test holds, lets fail and lists."""

from collections.abc import Sequence
from threading import Event, Lock

from tacit.sender.destination import ACCEPTED, DeliveryError, EncodedEvent, Outcome


class HeldDestination:
    """Destination that takes events while it is open, and fails as often as a test sets."""

    def __init__(self, *, is_open: bool = True) -> None:
        self.taken: list[EncodedEvent] = []
        self.attempts: list[int] = []
        """Size of each batch, failed ones included."""
        self.failures = 0
        """Deliveries that fail from now on."""
        self.outcomes: list[list[Outcome]] = []
        """Outcomes of the next deliveries; then each event is accepted."""
        self.is_closed = False
        self.opened = Event()
        if is_open:
            self.opened.set()
        self._lock = Lock()

    def deliver(self, events: Sequence[EncodedEvent]) -> Sequence[Outcome]:
        with self._lock:
            self.attempts.append(len(events))
        self.opened.wait()
        if self.failures:
            self.failures -= 1
            raise DeliveryError("the test lets it fail")
        outcomes = self.outcomes.pop(0) if self.outcomes else [ACCEPTED] * len(events)
        self.taken += [event for event, outcome in zip(events, outcomes, strict=True) if outcome.state == "accepted"]
        return outcomes

    def forget_connections(self) -> None:
        pass

    def close(self) -> None:
        self.is_closed = True
