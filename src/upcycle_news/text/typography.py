"""Typography of plain text: normal form, quotation marks and no-break spaces."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from markdown_it import MarkdownIt

NBSP = "\u00a0"

QUOTES = {"de": "„“‚‘", "en": "“”‘’"}
"""Quotation marks by language as markdown-it wants them: double pair, single pair."""

# What Windows-1252 means by the bytes that Latin-1 turns into C1 controls: “, ’, – and so on.
_WINDOWS = {
    code: character
    for code in range(0x80, 0xA0)
    if (character := bytes([code]).decode("cp1252", "ignore"))
}

# C0 without tab and newline, DEL, and C1: Gmail cuts a mail off at characters such as U+0092.
# Byte order marks and directional overrides do not belong in an essay either.
_UNWANTED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ufeff\u202a-\u202e\u2066-\u2069\ufff9-\uffff]")

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


def base_language(language: str) -> str:
    """Return the primary subtag of a language tag: ``de`` of ``de-AT``."""
    return language.replace("_", "-").partition("-")[0].lower()


def normalise_text(text: str) -> str:
    r"""Return text in NFC, without control characters but tab and newline, with ``\n`` as line end.

    C1 controls that a wrong decoding made of quotation marks and dashes are restored.
    """
    text = text.replace("\r\n", "\n").replace("\r", "\n").translate(_WINDOWS)
    text = text.replace("\u2028", "\n").replace("\u2029", "\n")
    return unicodedata.normalize("NFC", _UNWANTED.sub("", text))


def one_line(text: str) -> str:
    """Apply `normalise_text` and collapse white space to single spaces (no-break spaces stay)."""
    return re.sub(r"[ \t\n]+", " ", normalise_text(text)).strip(" ")


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


def quote(text: str, language: str) -> str:
    """Turn straight quotation marks of one line into those of the language, and nothing else."""
    if '"' not in text and "'" not in text:
        return text
    token = _quoter(base_language(language)).parseInline(text)[0]
    return "".join(child.content for child in token.children or ())


def typeset(text: str, language: str) -> str:
    """Apply all typography to a title or another line of plain text."""
    return insert_no_break_spaces(dashes(quote(one_line(text), language)), language)


@lru_cache(maxsize=4)
def _quoter(language: str) -> MarkdownIt:
    options = {"typographer": True, "quotes": QUOTES.get(language, QUOTES["en"])}
    return MarkdownIt("zero", options).enable("smartquotes")
