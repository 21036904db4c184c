"""Localized Markdown for Prefect's pages, with untrusted text escaped."""

from __future__ import annotations

import re
from datetime import date, datetime
from urllib.parse import quote

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
        from babel.dates import format_datetime

        text: str = format_datetime(local, _TIME_FORMATS[self.language], locale=self.language)
        return text

    def format_day(self, day: date) -> str:
        """Return a day, such as 28. November 2026."""
        from babel.dates import format_date

        text: str = format_date(day, "long", locale=self.language)
        return text


# An address ends at a quotation mark of any language, which Prefect's pages would take along.
_ADDRESS = re.compile(r"""https?://[^\s<>"„“”‚‘’«»‹›`|\\\x00-\x1f]+""", re.IGNORECASE)


def markdown_of_sentence(sentence: str) -> str:
    """Return a sentence escaped like `escape_markdown`, the addresses in it as links (CommonMark 6.5)."""
    parts, end = [], 0
    for found in _ADDRESS.finditer(sentence):
        address = _without_punctuation(found[0])
        if address.endswith("//"):
            continue  # the scheme alone
        parts += [escape_markdown(sentence[end : found.start()], strip=False), f"<{address}>"]
        end = found.start() + len(address)
    return "".join([*parts, escape_markdown(sentence[end:], strip=False)]).strip()


def markdown_link(text: str, address: str) -> str:
    """Return a link with untrusted text to an address that may hold brackets (CommonMark 6.3)."""
    target = re.sub(r"[\s<>\\]", lambda found: quote(found[0]), address)
    return f"[{escape_markdown(text)}](<{target}>)"


def _without_punctuation(address: str) -> str:
    """Return an address without what belongs to the sentence around it."""
    while address[-1] in ".,;:!?'*_~)]}":
        if address[-1] == ")" and address.count("(") >= address.count(")"):
            break
        address = address[:-1]
    return address


def escape_markdown(text: str, *, strip: bool = True) -> str:
    """Return untrusted text (titles, feed names, errors) with Markdown and HTML escaped.

    `strip` takes away space at its ends, too.
    """
    plain = " ".join(text.split()) if strip else re.sub(r"\s+", " ", text)
    for char in "\\`*_[]<>#|":
        plain = plain.replace(char, f"\\{char}")
    return plain
