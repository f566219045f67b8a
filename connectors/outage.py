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
        failed: second part of the event of the start.
        recovered: second part of the event of the end.
    """

    def __init__(self, subject: str, *, failed: str = "failed", recovered: str = "recovered") -> None:
        # The logger `kafka` is that of kafka-python, of which a run logs next to nothing.
        self._log = structlog.get_logger(f"connectors.{subject}")
        self._started = f"{subject}.{failed}"
        self._ended = f"{subject}.{recovered}"
        self._is_failing = False
        self._cause: Hashable = None

    def failed(self, *, cause: Hashable = None, **fields: object) -> None:
        """Log a failure, unless the previous attempt failed by the same cause."""
        if not self._is_failing or cause != self._cause:
            self._log.warning(self._started, **fields)
        self._is_failing, self._cause = True, cause

    def recovered(self, **fields: object) -> None:
        """Log the end of an outage, if there is an outage."""
        if self._is_failing:
            self._log.info(self._ended, **fields)
        self._is_failing = False
