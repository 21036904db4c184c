"""How checks say what they found, and the questions that several of them ask."""

from __future__ import annotations

import re

from upcycle_news.i18n.messages import LocalizedText
from upcycle_news.models import Finding

# What a screen reader reads out in its list of links, where nothing stands around it.
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


def error(code: str, where: str, said: LocalizedText) -> Finding:
    """A finding that refuses the issue."""
    return Finding("error", code, where, said)


def warning(code: str, where: str, said: LocalizedText) -> Finding:
    """A finding that does not."""
    return Finding("warning", code, where, said)


def is_vague_link_text(name: str) -> bool:
    """Whether a link's name says nothing without the sentence around it."""
    return re.sub(r"[\s.…:!?»›→>]+", " ", name.casefold()).strip() in _VAGUE
