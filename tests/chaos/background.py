"""Threads that run during the faults, stop on request, and pass their errors to the caller."""

from abc import ABC, abstractmethod
from threading import Event, Thread
from types import TracebackType
from typing import Self


class Background(ABC):
    """Thread that runs until its context ends."""

    def __init__(self, name: str) -> None:
        self._stop = Event()
        self._error: Exception | None = None
        self._thread = Thread(target=self._run_and_keep_error, name=name, daemon=True)

    @abstractmethod
    def _run(self) -> None:
        """Do the work until `_stop` is set."""

    def raise_error(self) -> None:
        """Raise the error that ended the thread, if any."""
        if self._error is not None:
            raise self._error

    def finish(self) -> None:
        """Stop the thread, and raise its error, if any."""
        self._stop.set()
        self._thread.join()
        self.raise_error()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _run_and_keep_error(self) -> None:
        try:
            self._run()
        except Exception as error:  # raised again by raise_error
            self._error = error
