"""Localized Markdown for Prefect's pages, with untrusted text escaped."""

from __future__ import annotations

from datetime import datetime

from babel.dates import format_datetime

from upcycle_news.i18n.messages import LocalizedText, supported_language

_TIME_FORMATS = {"de": "EEEE, d. MMMM, HH:mm", "en": "EEEE, d MMMM, HH:mm"}


class Translator:
    """Translates texts for editors and operators; call it with a `LocalizedText`."""

    def __init__(self, language: str) -> None:
        """`language` as in the settings; English where there is no translation."""
        self.language = supported_language(language)

    def __call__(self, text: LocalizedText) -> str:
        """Return the text in the language."""
        return text.in_language(self.language)

    def format_time(self, local: datetime) -> str:
        """Return a local time, such as Samstag, 28. November, 07:00."""
        text: str = format_datetime(local, _TIME_FORMATS[self.language], locale=self.language)
        return text


def escape_markdown(text: str) -> str:
    """Return untrusted text (titles, feed names, errors) with Markdown and HTML escaped."""
    plain = " ".join(text.split())
    for char in "\\`*_[]<>#|":
        plain = plain.replace(char, f"\\{char}")
    return plain
