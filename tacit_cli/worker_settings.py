"""Settings of commands that log and may need an embedded Redis."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from dataflows.observability.logs import configure
from dataflows.settings import Settings
from tacit_cli.invocation import Invocation
from tacit_lab.embedded import EmbeddedRedis


def logged_settings(invocation: Invocation, *, needs_secret: bool = True) -> Settings:
    """Return the settings, and configure logs by them."""
    settings = invocation.settings(needs_secret=needs_secret)
    if invocation.output.quiet and settings.log_level is None:
        settings = replace(settings, log_level="error")
    configure(settings.log_level or "warning")
    return settings


@contextmanager
def worker_settings(invocation: Invocation) -> Iterator[Settings]:
    """Yield the settings; with `--embedded`, a Redis runs until the context ends."""
    settings = logged_settings(invocation)
    if not settings.embedded:
        yield settings
        return
    with EmbeddedRedis() as server:
        yield replace(settings, redis=server.url)
