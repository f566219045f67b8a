"""Receipts that are being made in the background."""

import asyncio

import structlog


class Pending:
    """Receipts that are being made; `Service.in_background` bounds their number."""

    def __init__(self) -> None:
        self._users: dict[str, bytes] = {}

    def add(self, number: str, user: bytes, job: "asyncio.Future[float | None]") -> None:
        """Add a receipt about a user, until its job ends."""
        self._users[number] = user
        job.add_done_callback(lambda done: self._end(number, done))

    def has(self, number: str, user: bytes) -> bool:
        """Return True if the receipt is being made, and is about the user."""
        return self._users.get(number) == user

    def _end(self, number: str, job: "asyncio.Future[float | None]") -> None:
        del self._users[number]
        if not job.cancelled() and (error := job.exception()) is not None:
            structlog.get_logger("service").warning("receipt.failed", receipt=number, error=type(error).__name__)
