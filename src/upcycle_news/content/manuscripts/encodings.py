"""Decodes texts in whatever encoding editors' programs wrote them, or refuses them.

Without a byte order mark nothing in a file says how it is encoded. UTF-8 proves itself, UTF-16 shows
by its zero bytes; among the single-byte encodings the one wins in which the letters and marks beyond
ASCII stand where a Western European text has them.
"""

from __future__ import annotations

import codecs
import re

from upcycle_news.errors import ContentError
from upcycle_news.i18n.messages import localized

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WIDE = ("utf-16-le", "utf-16-be", "utf-32-le", "utf-32-be")
_SINGLE_BYTE = ("cp1252", "iso8859-15", "mac_roman", "cp850")

# Tabs, line and page ends, and the end of file of DOS are part of texts; other controls are not.
_NO_TEXT = re.compile("[\x00-\x08\x0e-\x19\x1b-\x1f\x7f]")
_MAX_CONTROLS = 0.002

# No Western text has four of them in a row: another alphabet was read as this one.
_FOREIGN_WORD = re.compile("[\x80-\U0010ffff]{4}")

# Signs that no Western text has at a letter: they are another alphabet's letters, read wrongly.
_MISREAD = re.compile(r"[¸¢£¤¥¦¬](?=[^\W\d_])|(?<=[^\W\d_])[¸¼½¾¿¡¤¥¦¬]")

_LETTERS = "äöüßÄÖÜ"
_OTHER_LETTERS = "éèêëàâáçñîïíôóòûùúåæøœÉÈÀÇÑÅÆØŒ"
_OPENING = "„‚“‘«»‹›(¿¡"
_CLOSING = "“”’‘»«›‹…"


def decode_text(data: bytes, where: str) -> str:
    """Return a file as text; raises `ContentError` at `where` for what is none, or which stays unclear."""
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _checked(_strictly(data, encoding), where)
    if b"\0" in data:  # none of the encodings of a byte a character has it
        wide = (text for encoding in _WIDE if (text := _strictly(data, encoding)) is not None)
        found = next((text for text in wide if _is_plausible(text)), None)
        is_text = found is not None or not _NO_TEXT.search(data.decode("latin-1").replace("\0", ""))
        if not is_text:
            raise ContentError(where, None, localized("manuscript-no-text"))
        return _checked(found, where)
    if (text := _strictly(data, "utf-8")) is not None:
        return _checked(text, where)
    return _checked(_single_byte_text(data), where)


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        return data.decode(encoding)
    except UnicodeDecodeError:
        return None


def _is_plausible(text: str) -> bool:
    """Return whether most of a text without a mark is Latin: the wrong byte order gives CJK."""
    latin = sum(character < "\u0250" or "\u2000" <= character < "\u2100" for character in text)
    return latin > 0.9 * len(text) and not _NO_TEXT.search(text)


def _checked(text: str | None, where: str) -> str:
    if text is None:
        raise ContentError(where, None, localized("manuscript-encoding"))
    text = text.removesuffix("\x1a")
    if "\0" in text or len(_NO_TEXT.findall(text)) > _MAX_CONTROLS * len(text):
        raise ContentError(where, None, localized("manuscript-no-text"))
    return text


def _single_byte_text(data: bytes) -> str | None:
    """Return the text in the encoding that fits, None if none does or two fit equally well."""
    scores = [
        (_score(text), -rank, text)
        for rank, encoding in enumerate(_SINGLE_BYTE)
        if (text := _strictly(data, encoding)) is not None
        and not _FOREIGN_WORD.search(text)
        and not _MISREAD.search(text)
    ]
    if not scores:
        return None
    (best, _, text), *others = sorted(scores, reverse=True)
    foreign = sum(character > "\x7f" for character in text)
    # Two readings with nearly the same score and different words: nobody can tell.
    close = any(best - score < 0.1 * foreign and other != text for score, _, other in others)
    is_windows = text == _strictly(data, "cp1252")
    return None if best <= 0.2 * foreign or (close and not is_windows) else text


def _score(text: str) -> float:
    """Return how well the characters beyond ASCII fit their places, about -3 to 3 for each."""
    return sum(
        _fit(character, text[position - 1 : position] or " ", text[position + 1 : position + 2])
        for position, character in enumerate(text)
        if character > "\x7f"
    )


def _fit(character: str, before: str, after: str) -> float:
    """Return how well a character stands between its neighbours."""
    after = after or " "
    if character.isalpha() and character not in "ªº":
        if character.isupper() and before.isalpha() and (before.islower() or after.islower()):
            return -3
        if not (before.isalpha() or after.isalpha()):
            return -1.5
        if character in _LETTERS:
            return 3
        return 1.5 if character in _OTHER_LETTERS else -1
    inside = before.isalpha() and after.isalpha()
    if character == "’" and (inside or before.isalpha()):
        return 2
    if character in "–—":
        return 2 if not inside else 0
    if character in "\xa0\xad":
        return 0.5
    if character < "\xa0":  # a control character of Latin-9
        return -3
    if inside:  # "Nachbar·innen", and what is typed for an apostrophe
        return 1 if character in "·•´‘" else -3
    opens = not before.isalnum() and (after.isalnum() or after in _OPENING)
    closes = not before.isspace() and not after.isalnum()
    if (character in _OPENING and opens) or (character in _CLOSING and closes):
        return 2
    if character in "§€©®°²³½¼¾·•×±µ£™†‰":
        return 1 if not after.isalpha() or (before.isspace() and character in "§©•·") else -1
    return -1
