"""The words of column names and cells in one spelling, so that they can be compared. Pure."""

from __future__ import annotations

import re
from functools import lru_cache

_HUMP = re.compile(r"(?<=[a-zäöüß0-9])(?=[A-ZÄÖÜ])")
_FOLDED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})
# One word written as two.
_JOINED = (
    (re.compile(r"\be mail"), "email"),
    (re.compile(r"\bopt(ed|s)? (in|out)\b"), r"opt\2"),
    (re.compile(r"\b(black|block|deny) list"), r"\1list"),
    (re.compile(r"\b(do|does|did) ?n t\b"), "not"),
)
BLANKS = " \t" + "".join(map(chr, (0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000)))
"""Every kind of blank, no-break and other wide ones included; no line ends."""
_INVISIBLE = re.compile("[\u00ad\u200b-\u200f\u202a-\u202e\u2060\u2066-\u2069\ufeff]")


def visible(text: str) -> str:
    """Return the text without what nobody sees: zero-width characters, soft hyphens, marks of direction.

    Every kind of blank at its ends goes as well; line ends stay.
    """
    return _INVISIBLE.sub("", text).strip(BLANKS)


@lru_cache(maxsize=8192)
def words_of(text: str) -> str:
    """Return the words of a text in lower case with single blanks between them: ``IsOptedOut`` too.

    Umlauts are spelled out, since exports without them do so; ``E-Mail`` is one word.
    """
    plain = text if " " in text.strip() else _HUMP.sub(" ", text)
    words = " ".join(re.findall(r"[^\W_]+", visible(plain).lower().translate(_FOLDED)))
    for written, joined in _JOINED:
        words = written.sub(joined, words)
    return words
