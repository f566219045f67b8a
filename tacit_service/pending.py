"""Receipts that are being made in the background."""

import asyncio
from collections import OrderedDict

import structlog

_MAX_PENDING = 10_000


class Pending:
    """Receipts that are being made, the newest `_MAX_PENDING`."""

    def __init__(self) -> None:
        self._jobs: OrderedDict[str, tuple[bytes, asyncio.Future[float | None]]] = OrderedDict()

    def add(self, number: str, user: bytes, job: "asyncio.Future[float | None]") -> None:
        """Add a receipt about a user, until its job ends."""
        self._jobs[number] = user, job
        job.add_done_callback(lambda done: self._end(number, done))
        if len(self._jobs) > _MAX_PENDING:
            self._jobs.popitem(last=False)

    def has(self, number: str, user: bytes) -> bool:
        """Return True if the receipt is being made, and is about the user."""
        return number in self._jobs and self._jobs[number][0] == user

    def _end(self, number: str, job: "asyncio.Future[float | None]") -> None:
        self._jobs.pop(number, None)
        if not job.cancelled() and (error := job.exception()) is not None:
            structlog.get_logger("service").warning("receipt.failed", receipt=number, error=type(error).__name__)
