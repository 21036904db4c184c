"""Plain text on one line, without invisible characters."""

from __future__ import annotations

import re
import unicodedata

# C0 and C1 controls, soft hyphens, zero-width characters, bidi marks and overrides, interlinear and
# tag characters, noncharacters, lone surrogates: all of them can hide or reorder visible text. The
# joiners and the tags of a flag are judged by their neighbours.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e"
    "\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f\u3164\ufdd0-\ufdef\ufeff\uffa0\ufff9-\ufffc\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e001f]"
    "|(\U0001f3f4[\U000e0030-\U000e0039\U000e0061-\U000e007a]{1,6}\U000e007f)|[\U000e0020-\U000e007f]"
)
_JOINABLE = ("So", "Sk", "Sm")  # emoji, and the skin tones behind them
_JOINERS = re.compile("[\u200c\u200d]+")
_TEMPLATE_BRACES = re.compile(
    r"(?<=\{)(?=[{%#])|(?<=[}%#])(?=\})|(?<=\$)(?=\{)|(?<=\\u)(?=\{)|(?<=<)(?=/?mj-)", re.IGNORECASE
)


def word_set(text: str) -> frozenset[str]:
    """Split a literal list of words in a source file."""
    return frozenset(text.split())


def normalise_whitespace(text: str) -> str:
    """Remove invisible characters, collapse white space to single spaces, compose to NFC.

    Joiners stay where they say how something is written (Unicode 23.2, UTS #51 ED-16): one of them
    between letters or emoji. So do the tags behind a black flag, which make it a region's.
    """
    if text.isascii() and text.isprintable():  # most words of most texts: nothing to look for
        return " ".join(text.split())
    text = _INVISIBLE.sub(lambda match: match[1] or "", text)
    return unicodedata.normalize("NFC", " ".join(drop_stray_joiners(text).split()))


def drop_stray_joiners(text: str) -> str:
    """Remove zero-width joiners and non-joiners that stand elsewhere than between letters or emoji."""
    return _JOINERS.sub(_needed_joiner, text)


def _needed_joiner(match: re.Match[str]) -> str:
    text, start, end = match.string, match.start(), match.end()
    joins = end - start == 1 and start > 0 and end < len(text)
    return match[0] if joins and _joinable(text[start - 1]) and _joinable(text[end]) else ""


def _joinable(character: str) -> bool:
    """Tell whether a joiner beside this character can have a meaning: a letter, a mark, an emoji."""
    category = unicodedata.category(character)
    return category[0] in "LM" or (category in _JOINABLE and not character.isascii())


def truncate(text: str, length: int) -> str:
    """Shorten to at most `length` characters at the end of a word, marked with ``…``."""
    if len(text) <= length:
        return text
    head = text[: length - 1]
    if " " in head[length // 2 :] and not text[length - 1].isspace():
        head = head.rpartition(" ")[0]
    return head.rstrip(" ,;:–-") + "…"


def neutralise_braces(text: str) -> str:
    """Separate the braces of template languages: ``{{ x }}`` becomes ``{ { x } }``.

    This project does not evaluate them in content, but relays that fill in merge tags do, and the
    checks of a rendered issue report them as unfilled placeholders.
    """
    return _TEMPLATE_BRACES.sub(" ", text)
