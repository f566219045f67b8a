"""All generated pages of the site."""

from collections.abc import Callable, Mapping

from tools.docs.cli_page import cli_page, setting_options
from tools.docs.included_pages import included_page
from tools.docs.metrics_page import metrics_page
from tools.docs.rejects_page import rejects_page
from tools.docs.row_page import row_page
from tools.docs.schema_pages import events_page, signals_page
from tools.docs.settings_page import settings_page


def _settings() -> str:
    options = setting_options()
    return settings_page({name: option.opts[0] for name, option in options.items()})


PAGES: Mapping[str, Callable[[], str]] = {
    "reference/cli.md": cli_page,
    "reference/settings.md": _settings,
    "reference/metrics.md": metrics_page,
    "reference/events.md": events_page,
    "reference/signals.md": signals_page,
    "reference/rejects.md": rejects_page,
    "reference/row.md": row_page,
    "changelog.md": lambda: included_page("CHANGELOG.md"),
    "contributing.md": lambda: included_page("CONTRIBUTING.md"),
}
"""Path below `docs/` → text."""
