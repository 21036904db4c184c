"""How the cockpit's pages speak: in the publication's language, and strangers' text as text."""

from __future__ import annotations

from datetime import datetime

from babel.dates import format_datetime

from upcycle_news.i18n.messages import LocalizedText, spoken

_MOMENT = {"de": "EEEE, d. MMMM, HH:mm", "en": "EEEE, d MMMM, HH:mm"}


class Words:
    """What our own people read, in one language: of the publication, where there are words for it."""

    def __init__(self, language: str) -> None:
        """`language` as in the settings; English where there are no words for it."""
        self.language = spoken(language)

    def __call__(self, said: LocalizedText) -> str:
        """These words in the language."""
        return said.in_language(self.language)

    def moment(self, local: datetime) -> str:
        """A time of a local clock, such as Samstag, 28. November, 07:00."""
        told: str = format_datetime(local, _MOMENT[self.language], locale=self.language)
        return told


def md(text: str) -> str:
    """Text of strangers as text: no markup of theirs in our pages."""
    plain = " ".join(text.split())
    for char in "\\`*_[]<>#|":
        plain = plain.replace(char, f"\\{char}")
    return plain
