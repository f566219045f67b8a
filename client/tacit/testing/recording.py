"""Emitter that keeps events in memory."""

from collections.abc import Sequence

from tacit.contract.catalogue import Catalogue
from tacit.contract.events import Event, decode_event
from tacit.errors import QueueFullError
from tacit.sender.destination import ACCEPTED, EncodedEvent, Outcome
from tacit.sender.emitter import Emitter


class RecordingEmitter(Emitter):
    """Emitter for tests: `events` has each event right after `send`, checked like those of a real emitter.

    Args:
        catalogue: the names that events may have; None: the contract alone counts.

    >>> from tacit import Catalogue, ControlEvents
    >>> emitter = RecordingEmitter(Catalogue.load())
    >>> emitter.send(ControlEvents("eu").pin("ada", "length", "concise"))
    >>> [type(event).__name__ for event in emitter.events]
    ['Pin']
    """

    def __init__(self, catalogue: Catalogue | None = None) -> None:
        super().__init__(_Nowhere(), catalogue=catalogue)
        self.events: list[Event] = []
        self.is_full = False
        """True: the queue is full. Interactions are dropped, and control events raise QueueFullError."""

    def _put(self, event: EncodedEvent) -> None:
        if not self.is_full:
            self.events.append(decode_event(event.data))
            self._sent += 1
        elif event.is_control:
            raise QueueFullError("the recording emitter is full, as the test set `is_full`")
        else:
            self._dropped += 1


class _Nowhere:
    """Destination of an emitter that delivers nothing."""

    def deliver(self, events: Sequence[EncodedEvent]) -> Sequence[Outcome]:
        return [ACCEPTED] * len(events)

    def forget_connections(self) -> None:
        pass

    def close(self) -> None:
        pass
