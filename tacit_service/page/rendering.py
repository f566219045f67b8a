"""Templates of the page in each language."""

from pathlib import Path
from typing import Any

from jinja2 import Environment

from tacit_service.http.html import templates
from tacit_service.page.language import Language, Languages

TEMPLATES = Path(__file__).with_name("templates")


class Templates:
    """Templates in each language.

    Args:
        languages: languages of the page.
    """

    def __init__(self, languages: Languages) -> None:
        self._languages = languages
        self._environments = {language.code: _environment(language) for language in languages}

    def render(self, template: str, language: Language, **values: Any) -> bytes:
        """Return a document in a language, as UTF-8."""
        found = self._environments[language.code].get_template(template)
        return found.render(language=language, languages=list(self._languages), **values).encode()


def _environment(language: Language) -> Environment:
    environment = templates(TEMPLATES, ["jinja2.ext.i18n"])
    environment.policies["ext.i18n.trimmed"] = True
    environment.install_gettext_callables(  # type: ignore[attr-defined]  # of the extension
        language.messages.gettext, language.messages.ngettext, newstyle=True
    )
    return environment
