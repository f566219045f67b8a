"""File of events as a destination: one JSON object per line, on disk before an event counts as sent."""

from collections.abc import Sequence
from pathlib import Path

from tacit.sender.destination import ACCEPTED, DeliveryError, EncodedEvent, Outcome


class EventFile:
    """A `.jsonl` file, which several processes may append to and a worker may follow.

    Args:
        path: the file; it is created if its folder exists.
    """

    def __init__(self, path: Path | str) -> None:
        self._path = Path(path)

    def deliver(self, events: Sequence[EncodedEvent]) -> Sequence[Outcome]:
        """Append the events, all or none, and return when they are on disk; DeliveryError if that fails."""
        from tacit.sender.appending import append_lines  # Unix only

        try:
            append_lines(self._path, [event.data for event in events])
        except OSError as error:
            raise DeliveryError(f"file: {error.strerror}") from error
        return [ACCEPTED] * len(events)

    def forget_connections(self) -> None:
        """Return at once: a file is opened for each delivery."""

    def close(self) -> None:
        """Return at once, likewise."""
