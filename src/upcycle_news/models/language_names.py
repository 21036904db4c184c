"""What sentences for editors call a language."""

from __future__ import annotations

from upcycle_news.i18n.messages import LocalizedText, localized

_LANGUAGE_NAMES = {"de": localized("language-de"), "en": localized("language-en")}


def language_name(language: str) -> LocalizedText:
    """Return a language's name in the sentence's own language; of one without a catalogue its code."""
    code = language.partition("-")[0].lower()
    return _LANGUAGE_NAMES.get(code, localized("untranslated", text=code))
