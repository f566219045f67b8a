"""What every command that works with settings begins with."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer

from dataflows.observability.logs import configure
from dataflows.settings import Settings, load
from tacit_lab.embedded import EmbeddedRedis


def settings_without_pseudonyms(context: typer.Context) -> Settings:
    """Return the settings of a command that makes no pseudonyms, or none that anybody sees: it needs no secret."""
    given = {name: value for name, value in context.params.items() if name in Settings.model_fields}
    settings = load(given | {"embedded": True})
    configure(settings.log_level or "warning")
    return settings


@contextmanager
def settings_of(context: typer.Context) -> Iterator[Settings]:
    """Give the settings of a command, with the embedded Redis running if they ask for one."""
    settings = load({name: value for name, value in context.params.items() if name in Settings.model_fields})
    configure(settings.log_level or "warning")
    if not settings.embedded:
        yield settings
        return
    with EmbeddedRedis() as server:
        yield settings.model_copy(update={"redis": server.url})
