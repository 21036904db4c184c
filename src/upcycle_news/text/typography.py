"""Typography of plain text: normal form, invisible characters, quotation marks, no-break spaces."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from upcycle_news.text.sanitize import drop_stray_joiners
from upcycle_news.text.smart_quotes import set_quotes

NBSP = "\u00a0"

# What Windows-1252 means by the bytes that Latin-1 turns into C1 controls: “, ’, – and so on.
_WINDOWS = {
    code: character
    for code in range(0x80, 0xA0)
    if (character := bytes([code]).decode("cp1252", "ignore"))
}

# C0 without tab and newline, DEL, and C1: Gmail cuts a mail off at characters such as U+0092.
# Byte order marks and directional overrides do not belong in an essay either.
_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\u202a-\u202e\u2066-\u2069\ufff9-\uffff]")

# Soft hyphen, zero-width space, word joiner: they say where a line may break, and stay in words that are
# searched for or copied.
_STRAY = re.compile("[\u00ad\u180e\u200b\u2060-\u2064]")
_DIRECTION = re.compile("[\u061c\u200e\u200f]")

_GERMAN_PAIRS = (
    r"z\. B\.|d\. h\.|u\. a\.|i\. d\. R\.|u\. U\.|z\. T\.|z\. Zt\.|s\. o\.|s\. u\.|v\. a\."
    r"|o\. Ä\.|u\. Ä\.|o\. ä\.|u\. ä\.|i\. e\. S\.|i\. w\. S\.|a\. a\. O\.|v\. Chr\.|n\. Chr\."
)
# A dash between words never begins a line.
_DASH = r" –(?=[\s,.;:!?]|$)"
_BOUND = {
    "de": re.compile(
        rf"\b(?:{_GERMAN_PAIRS})|§§? (?=\d)|{_DASH}"
        r"|\b(?:Abs|Art|Nr|Ziff|Kap|Bd|Abb|Tab|S)\. (?=\d)|\bDr\. (?=[A-ZÄÖÜ])"
        r"|(?<=\d) (?:%|‰|€|°C|km|m²|m³|ha|kg|t|kWh|MWh|GWh|Mio\.|Mrd\.|Uhr)(?!\w)"
    ),
    "en": re.compile(
        rf"§§? (?=\d)|{_DASH}|\bNo\. (?=\d)|\bDr\. (?=[A-Z])|(?<=\d) (?:km|kg|kWh|°C)(?!\w)"
    ),
}


@lru_cache(maxsize=256)  # asked of every word
def base_language(language: str) -> str:
    """Return the primary subtag of a language tag: ``de`` of ``de-AT``."""
    return language.replace("_", "-").partition("-")[0].lower()


def language_and_region(language: str) -> str:
    """Return a tag as RFC 5646, 2.1.1 writes it: ``de-CH`` of ``de_CH``, ``de-ch`` and ``DE-CH``."""
    base, _, region = language.strip().replace("_", "-").partition("-")
    return f"{base.lower()}-{region.upper()}" if region else base.lower()


_RIGHT_TO_LEFT = ("ar", "ckb", "dv", "fa", "he", "ps", "sd", "ug", "ur", "yi")


def direction(language: str) -> str:
    """Return ``rtl`` for a language that is written from right to left, else an empty string."""
    return "rtl" if base_language(language) in _RIGHT_TO_LEFT else ""


def normalise_text(text: str) -> str:
    r"""Return text in NFC, without control characters but tab and newline, with ``\n`` as line end.

    C1 controls that a wrong decoding made of quotation marks and dashes are restored.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_WINDOWS)
    text = text.replace("\u2028", "\n").replace("\u2029", "\n")
    return unicodedata.normalize("NFC", _UNWANTED.sub("", text))


def remove_stray_invisibles(text: str, *, right_to_left: bool | None = None) -> str:
    """Remove soft hyphens and stray zero-width characters from a text.

    Joiners stay between letters or emoji, direction marks where the text has right-to-left letters
    (`right_to_left`, if the whole has others than this part), no-break spaces everywhere.
    """
    if right_to_left is None:
        right_to_left = has_right_to_left(text)
    text = drop_stray_joiners(_STRAY.sub("", text))
    return text if right_to_left else _DIRECTION.sub("", text)


def has_right_to_left(text: str) -> bool:
    """Return whether a text has letters that are written from right to left (UAX #9: R, AL)."""
    return any(
        character > "\u0590" and unicodedata.bidirectional(character) in ("R", "AL")
        for character in _DIRECTION.sub("", text)
    )


def one_line(text: str) -> str:
    """Normalise a text, remove stray invisible characters, collapse white space to single spaces.

    No-break spaces stay.
    """
    plain = remove_stray_invisibles(normalise_text(text))
    return re.sub(r"[ \t\n]+", " ", plain).strip(" ")


def insert_no_break_spaces(text: str, language: str) -> str:
    """Put no-break spaces where a line must not break: ``z. B.``, ``§ 5``, ``40 %``."""
    pattern = _BOUND.get(base_language(language))
    return pattern.sub(lambda match: match[0].replace(" ", NBSP), text) if pattern else text


def dashes(text: str) -> str:
    """Turn ``...`` into an ellipsis, a free-standing ``--`` or ``---`` into a dash.

    markdown-it's own ``replacements`` would also turn the (c) of "Art. 5 (c)" into a copyright sign.
    """
    text = re.sub(r"(?<!\.)\.{3}(?!\.)", "…", text)
    return re.sub(r"(?<=\s)-{2,3}(?=\s)", "–", text)


def typeset(text: str, language: str, marks: str = "") -> str:
    """Apply all typography to a title or another line of plain text.

    `marks` are a publication's own quotation marks, as `smart_quotes.set_quotes` takes them.
    """
    quoted = set_quotes(one_line(text), language, marks)
    return insert_no_break_spaces(dashes(quoted), language)
