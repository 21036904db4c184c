"""Tells German from English by its small words; a file's own word for its language is often a template's."""

from __future__ import annotations

import re
from collections import Counter

from upcycle_news.text.sanitize import word_set
from upcycle_news.text.typography import base_language

LANGUAGES = ("de", "en")
"""Languages whose typography an import can set."""

_SMALL_WORDS = {
    "de": word_set("der die das und ist nicht ein eine zu den von mit sich auf für im dem des auch es wir sie"),
    "en": word_set("the and of to is not a an in that it with for on as we are was this be they by from"),
}  # fmt: skip
_ENOUGH = 6


def language_of(text: str, declared: str, publication: str) -> str:
    """Return ``de`` or ``en``: what the text is in, else what its file declares, else the publication's.

    The words decide where they are clear. A declaration counts only if nothing in the text is
    against it, and a short text is in the language of the publication.
    """
    counts = Counter[str]()
    for word in re.findall(r"[^\W\d_]+", text.lower()):
        for language, words in _SMALL_WORDS.items():
            counts[language] += word in words
    own = base_language(publication) if base_language(publication) in LANGUAGES else "de"
    other = "en" if own == "de" else "de"
    if counts[other] >= _ENOUGH and counts[other] > 3 * counts[own]:
        return other
    if base_language(declared) == other and counts[other] > counts[own]:
        return other
    return own
