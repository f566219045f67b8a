"""Structured logs on stderr or in a file: text on a terminal, otherwise JSON lines. No log has a user id."""

import logging
import os
import sys
from io import TextIOWrapper
from logging.handlers import WatchedFileHandler
from pathlib import Path

import structlog

from tacit.errors import ConfigurationError


class _LogFile(WatchedFileHandler):
    """Log file that is made again after it was renamed; where that fails, a line goes to stderr.

    All processes of a run append whole lines to one file.
    """

    def _open(self) -> TextIOWrapper:
        descriptor = os.open(self.baseFilename, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o640)
        return os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")

    def emit(self, record: logging.LogRecord) -> None:
        """Append a line."""
        try:
            super().emit(record)
        except OSError:  # of the file's new start
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802  # the name of the base class
        """Print a line that the file does not take: a log never ends a run."""
        print(self.format(record), file=sys.stderr)  # noqa: T201  # stderr is the place without a file


def configure(level: str, *, as_json: bool = False, file: Path | None = None) -> None:
    """Send all logs, including logs of libraries, through one formatter.

    Args:
        level: lowest level that is logged.
        as_json: JSON lines on a terminal, too.
        file: file of the logs; None: stderr.

    Raises:
        ConfigurationError: the file cannot be written.
    """
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    if sys.stderr.isatty() and not as_json and file is None:
        render: list[structlog.typing.Processor] = [structlog.dev.ConsoleRenderer()]
    else:
        render = [structlog.processors.format_exc_info, structlog.processors.JSONRenderer()]
    handler = _handler(file)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *render],
        )
    )
    root = logging.getLogger()
    for former in root.handlers:
        former.close()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # kafka-python logs each reconnect; Tacit logs an outage once
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )


def _handler(file: Path | None) -> logging.Handler:
    if file is None:
        return logging.StreamHandler(sys.stderr)
    try:
        return _LogFile(file)
    except OSError as error:
        raise ConfigurationError([f"log_file: {file} cannot be written: {error.strerror}; use another file"]) from error
