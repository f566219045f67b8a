"""Settings of commands that log and may need an embedded Redis."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import structlog

from dataflows.observability.logs import configure
from dataflows.settings import Settings
from tacit.errors import ConfigurationError
from tacit_cli.invocation import Invocation
from tacit_lab.embedded import EmbeddedRedis


def logged_settings(invocation: Invocation, *, needs_secret: bool = True) -> Settings:
    """Return the settings, and configure logs on stderr: a log file may not be opened before it is no source."""
    settings = invocation.settings(needs_secret=needs_secret)
    if invocation.output.quiet and settings.log_level is None:
        settings = replace(settings, log_level="error")
    configure(settings.log_level or "warning", as_json=settings.log_json)
    for advice in settings.cautions:
        structlog.get_logger("settings").warning("settings.unsafe", advice=advice)
    return settings


@contextmanager
def worker_settings(invocation: Invocation) -> Iterator[Settings]:
    """Yield the settings; with `--embedded`, a Redis runs until the context ends.

    Raises:
        ConfigurationError: a setting is wrong, or both Redis and `--embedded` are given.
    """
    settings = logged_settings(invocation)
    _require_one_redis(invocation, settings)
    if not settings.embedded:
        yield settings
        return
    with EmbeddedRedis() as server:
        yield replace(settings, redis=server.url)


def _require_one_redis(invocation: Invocation, settings: Settings) -> None:
    """Check that one Redis is meant: the flag `--embedded` alone prevails over a variable or the file."""
    flags = invocation.flags
    prevails = flags.get("embedded") and flags.get("redis") is None
    if settings.embedded and "redis" in settings.given and not prevails:
        raise ConfigurationError(["embedded: starts a Redis in place of --redis; leave one of the two out"])
