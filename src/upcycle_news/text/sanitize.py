"""Conversion of untrusted text to one line of plain text: no markup, no invisible characters."""

from __future__ import annotations

import html
import re
import unicodedata

import nh3

# C0 and C1 controls, soft hyphens, zero-width characters, bidi marks and overrides, interlinear and
# tag characters, noncharacters, lone surrogates: all of them can hide or reorder visible text.
_INVISIBLE = re.compile(
    "[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e"
    "\u200b-\u200f\u202a-\u202e\u2060-\u206f\u3164\ufdd0-\ufdef\ufeff\uffa0\ufff9-\ufffc\ufffe\uffff"
    "\ud800-\udfff\U000e0000-\U000e007f]"
)
# Without a space here "<p>one</p><p>two</p>" would become one word.
_BLOCK_TAG = re.compile(
    r"</?(?:address|article|aside|blockquote|br|dd|div|dl|dt|figcaption|figure|footer|h[1-6]|header"
    r"|hr|li|main|nav|ol|p|pre|section|table|tbody|td|tfoot|th|thead|tr|ul)\b",
    re.IGNORECASE,
)
_ANY_TAG = re.compile(
    r"</?(?:a|abbr|b|big|blockquote|body|br|center|cite|code|dd|del|div|dl|dt|em|embed|figcaption"
    r"|figure|font|form|h[1-6]|head|hr|html|i|iframe|img|input|ins|li|link|mark|meta|object|ol|p|pre"
    r"|q|s|script|small|span|strike|strong|style|sub|sup|svg|table|tbody|td|th|thead|title|tr|tt|u"
    r"|ul|video|wbr)(?:\s[^<>]*)?/?>|<!--",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});", re.IGNORECASE)
_DROPPED_WITH_CONTENT = {
    "iframe", "math", "noscript", "object", "script", "style", "svg", "template", "textarea", "title",
}  # fmt: skip
_TEMPLATE_BRACES = re.compile(
    r"(?<=\{)(?=[{%#])|(?<=[}%#])(?=\})|(?<=\$)(?=\{)|(?<=\\u)(?=\{)|(?<=<)(?=/?mj-)", re.IGNORECASE
)


def word_set(text: str) -> frozenset[str]:
    """Split a literal list of words in a source file."""
    return frozenset(text.split())


def normalise_whitespace(text: str) -> str:
    """Remove invisible characters, collapse white space to single spaces, compose to NFC."""
    return unicodedata.normalize("NFC", " ".join(_INVISIBLE.sub("", text).split()))


def html_to_text(markup: str) -> str:
    """Return HTML as plain text; entities are decoded exactly once."""
    spaced = _BLOCK_TAG.sub(lambda tag: " " + tag[0], markup)
    cleaned = nh3.clean(spaced, tags=set(), clean_content_tags=_DROPPED_WITH_CONTENT)
    return normalise_whitespace(html.unescape(cleaned))


def looks_like_html(text: str) -> bool:
    """Guess whether a text without a type is HTML: it has a tag HTML knows, or an entity."""
    return bool(_ANY_TAG.search(text) or _ENTITY.search(text))


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
