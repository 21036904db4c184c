"""Constructors of findings, and predicates that several checks share."""

from __future__ import annotations

import re

from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import Finding

# A screen reader lists links by their text, without the sentence around it.
_VAGUE = frozenset(
    [
        "hier",
        "hier klicken",
        "klick hier",
        "klicken sie hier",
        "link",
        "dieser link",
        "dort",
        "mehr",
        "mehr erfahren",
        "mehr dazu",
        "mehr lesen",
        "siehe hier",
        "weiter",
        "weiterlesen",
        "here",
        "click here",
        "this",
        "this link",
        "more",
        "read more",
        "read on",
        "learn more",
        "link here",
    ]
)


def error(code: str, where: str, text: LocalizedText | str) -> Finding:
    """Return a finding that blocks the issue; `text` is localized, or a sentence as it is shown."""
    return Finding("error", code, where, _localized(text))


def warning(code: str, where: str, text: LocalizedText | str) -> Finding:
    """Return a finding that does not block the issue; `text` as in `error`."""
    return Finding("warning", code, where, _localized(text))


def _localized(text: LocalizedText | str) -> LocalizedText:
    return localized("untranslated", text=text) if isinstance(text, str) else text


def is_vague_link_text(name: str) -> bool:
    """Return whether a link's text means nothing without the sentence around it."""
    return re.sub(r"[\s.…:!?»›→>]+", " ", name.casefold()).strip() in _VAGUE
