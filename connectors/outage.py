"""Log of outages: a record at the start and at the end of an outage, and no record per failed attempt."""

from collections.abc import Hashable

import structlog


class OutageLog:
    """Log of the outages of one dependency.

    >>> with structlog.testing.capture_logs() as records:
    ...     outages = OutageLog("redis")
    ...     outages.failed(code="TIMEOUT")
    ...     outages.failed(code="TIMEOUT")
    ...     outages.recovered()
    ...     outages.recovered()
    >>> [record["event"] for record in records]
    ['redis.failed', 'redis.recovered']

    Args:
        subject: first part of the log events.
    """

    def __init__(self, subject: str) -> None:
        self._log = structlog.get_logger(subject)
        self._subject = subject
        self._is_failing = False
        self._cause: Hashable = None

    def failed(self, *, cause: Hashable = None, **fields: object) -> None:
        """Log a failure, unless the previous attempt failed by the same cause."""
        if not self._is_failing or cause != self._cause:
            self._log.warning(f"{self._subject}.failed", **fields)
        self._is_failing, self._cause = True, cause

    def recovered(self, **fields: object) -> None:
        """Log the end of an outage, if there is an outage."""
        if self._is_failing:
            self._log.info(f"{self._subject}.recovered", **fields)
        self._is_failing = False
