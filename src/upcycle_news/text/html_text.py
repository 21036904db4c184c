"""Conversion of HTML to plain text: tolerant of malformed markup, in one pass over the text.

Only text leaves this module; whoever prints it escapes it. What is malformed costs the element and
not the text behind it: an element that is never closed ends with itself, and so does one that is
written as XHTML writes it (``<iframe …/>``), although the HTML standard reads on in both cases.
"""

from __future__ import annotations

import html
import re
from typing import Literal

from upcycle_news.text.sanitize import normalise_whitespace, word_set

# Text is what is between these and their closing tag in no case.
_DROPPED_WITH_CONTENT = frozenset(
    {"iframe", "math", "noscript", "object", "script", "style", "svg", "template", "textarea", "title"}
)  # fmt: skip
_RAW = frozenset({"script", "style"})
_BLOCKS = word_set(
    """
    address article aside blockquote br center dd details div dl dt fieldset figcaption figure footer
    form h1 h2 h3 h4 h5 h6 header hr legend li main nav ol option p pre section summary table tbody
    td tfoot th thead tr ul
    """
)
# In a headline these are markup even when they are never closed.
_FORMATTING = word_set(
    """
    b big br del em font hr i img ins mark p s small span strike strong sub sup tt u wbr
    """
)
# A tag; the quotes of an attribute may hold ">". Where they are not closed, it ends at the first ">".
_TAG = re.compile(
    r"<(?P<close>/?)(?P<name>[A-Za-z][^\s/>]*+)"
    r"(?P<rest>(?:=\s*+\"[^\"]*+\"|=\s*+'[^']*+'|[^>=]++|=)*+)>"
)
_BARE_TAG = re.compile(r"<(?P<close>/?)(?P<name>[A-Za-z][^\s/>]*+)(?P<rest>[^>]*+)>")
_MARKUP = re.compile(r"<(?=[A-Za-z/!?])")
_KNOWN_TAG = re.compile(
    r"</?(?:a|abbr|article|aside|audio|b|big|blockquote|body|br|button|center|cite|code|dd|del|details"
    r"|div|dl|dt|em|embed|figcaption|figure|font|footer|form|h[1-6]|head|header|hr|html|i|iframe|img"
    r"|input|ins|kbd|li|link|main|mark|math|meta|nav|noscript|object|ol|option|p|picture|pre|q|s|samp"
    r"|script|section|select|small|source|span|strike|strong|style|sub|summary|sup|svg|table|tbody|td"
    r"|template|textarea|tfoot|th|thead|time|title|tr|tt|u|ul|var|video|wbr)(?:\s[^<>]*)?/?>|<!--",
    re.IGNORECASE,
)
_ENTITY = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});", re.IGNORECASE)
_SURROGATE_PAIR = re.compile(
    r"&#(?:(5[56]\d{3})|x(d[89ab][0-9a-f]{2}));&#(?:(5[67]\d{3})|x(d[c-f][0-9a-f]{2}));",
    re.IGNORECASE,
)
_SUPERSCRIPTS = str.maketrans("0123456789+-−=()n", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁻⁼⁽⁾ⁿ")
_SUBSCRIPTS = str.maketrans("0123456789+-−=()", "₀₁₂₃₄₅₆₇₈₉₊₋₋₌₍₎")


def looks_like_html(text: str) -> bool:
    """Guess whether a text without a type is HTML: it has a tag HTML knows, or an entity."""
    return bool(_KNOWN_TAG.search(text) or _ENTITY.search(text))


def html_to_text(markup: str, limit: int | None = None) -> str:
    """Return HTML as one line of plain text; entities are decoded exactly once.

    Reading stops behind `limit` characters of text, whatever markup is before or between them.
    """
    return normalise_whitespace(html_to_lines(markup, limit))


def html_to_lines(markup: str, limit: int | None = None) -> str:
    r"""Return HTML as plain text with a ``\n`` wherever a block begins or ends."""
    return _Reader(markup, headline=False, limit=limit).read()


def headline_to_text(markup: str) -> str:
    """Return the HTML of a headline as one line of plain text.

    A headline may speak of tags: an element that is never closed is a word in it, unless it only
    formats (``br``, ``img``, ``p``, ``b`` …) or has attributes.
    """
    return normalise_whitespace(_Reader(markup, headline=True, limit=None).read())


def decode_references(text: str) -> str:
    """Decode character references once; two that are the halves of a surrogate pair are one character."""
    if "&" not in text:
        return text
    return html.unescape(_SURROGATE_PAIR.sub(_join_pair, text))


def _join_pair(match: re.Match[str]) -> str:
    high = int(match[1]) if match[1] else int(match[2], 16)
    low = int(match[3]) if match[3] else int(match[4], 16)
    if 0xD800 <= high <= 0xDBFF and 0xDC00 <= low <= 0xDFFF:
        return chr(0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00))
    return match[0]


class _Reader:
    """One pass over the markup; every search that finds nothing is made once, so it stays linear."""

    def __init__(self, markup: str, *, headline: bool, limit: int | None) -> None:
        self.markup = markup
        self.lower = markup.lower() if len(markup.lower()) == len(markup) else markup
        self.headline = headline
        self.limit = limit
        self.parts: list[str] = []
        self.length = 0
        self.raised: list[tuple[Literal["sup", "sub"], int]] = []  # open elements, and their start
        self.missing: dict[str, int] = {}  # texts that do not occur behind a position
        self.tag = _TAG

    def read(self) -> str:
        """Return the text, blocks apart by newlines."""
        position = 0
        while True:
            match = _MARKUP.search(self.markup, position)
            self._emit(self.markup[position : match.start() if match else None])
            if match is None or (self.limit is not None and self.length > self.limit):
                return "".join(self.parts)
            position = self._skip(match.start())

    def _emit(self, text: str) -> None:
        if text:
            # A newline of the source is white space, one of ours is the edge of a block.
            self._append(re.sub(r"[\t\n\r\f]", " ", decode_references(text)))

    def _append(self, text: str) -> None:
        self.parts.append(text)
        self.length += len(text)

    def _find(self, text: str, position: int) -> int:
        """Return where `text` (lower case) stands next, -1 if nowhere."""
        if self.missing.get(text, len(self.markup) + 1) <= position:
            return -1
        place = self.lower.find(text, position)
        if place < 0:
            self.missing[text] = position
        return place

    def _skip(self, start: int) -> int:
        """Handle the markup that begins at `start`; return where to read on."""
        if self.markup.startswith("<!--", start):
            end = self._find("-->", start + 4)
            return start + 4 if end < 0 else end + 3  # not closed: only the mark itself goes
        if self.markup.startswith("<![CDATA[", start):
            return start + 9
        end = self._find(">", start)
        if end < 0:  # cut off within a tag
            return len(self.markup)
        if self.markup[start + 1] in "!?":
            return end + 1
        match = self.tag.match(self.markup, start)
        if match is None and self.tag is _TAG and (match := _BARE_TAG.match(self.markup, start)):
            self.tag = _BARE_TAG  # quotes that hold the last ">" of all
        if match is None:
            self._emit("<" if self.markup[start + 1] != "/" else "")
            return start + 1 if self.markup[start + 1] != "/" else end + 1
        return self._element(match)

    def _element(self, match: re.Match[str]) -> int:
        name, closes = match["name"].lower(), bool(match["close"])
        if self.headline and self._is_word(match, name, closes):
            self._append(match[0])
            return match.end()
        if name in ("sup", "sub"):
            self._raise(name, closes)  # type: ignore[arg-type]
        elif name in _BLOCKS:
            self._append("\n")
        if closes or name not in _DROPPED_WITH_CONTENT:
            return match.end()
        return self._behind_content(name, match)

    def _behind_content(self, name: str, match: re.Match[str]) -> int:
        """Return where to read on behind an element whose content is no text."""
        closing = self._find(f"</{name}", match.end())
        itself = match["rest"].rstrip().endswith("/")
        if name not in _RAW and itself:
            return match.end()
        if name not in _RAW or itself:
            again = self._find(f"<{name}", match.end())
            if closing < 0 or 0 <= again < closing:
                return match.end()
        if closing < 0:  # a script that is never closed is not read out
            return len(self.markup)
        end = self._find(">", closing)
        return len(self.markup) if end < 0 else end + 1

    def _is_word(self, match: re.Match[str], name: str, closes: bool) -> bool:
        """Tell whether a headline speaks of this tag instead of using it."""
        if name in _FORMATTING or not _KNOWN_TAG.match(match[0]):
            return name not in _FORMATTING
        if closes:
            return f"<{name}" not in self.lower[: match.start()]
        if match["rest"].strip(" /") or self._find(f"</{name}", match.end()) >= 0:
            return False
        if name in _DROPPED_WITH_CONTENT:
            return True
        # Formatting touches the words that it formats, a word stands by itself.
        following = self.markup[match.end() : match.end() + 1]
        return not (following.isalnum() or following in "<&„“\"'»«")

    def _raise(self, name: Literal["sup", "sub"], closes: bool) -> None:
        """Keep digits that are raised or lowered apart from those on the line: 10⁵ is not 105."""
        if not closes:
            self.raised.append((name, len(self.parts)))
            return
        if not self.raised:
            return
        kind, start = self.raised.pop()
        content = "".join(self.parts[start:]).strip()
        before = "".join(self.parts[max(start - 3, 0) : start])[-1:]
        if not content or not re.search(r"\d", content):
            return
        if kind == "sub" and not before.isdigit():
            return  # CO2, H2O: as people write it
        table = _SUPERSCRIPTS if kind == "sup" else _SUBSCRIPTS
        if all(ord(character) in table for character in content):
            self.parts[start:] = [content.translate(table)]
        elif before.isdigit() and content[0].isdigit():
            self.parts[start:] = [f"{'^' if kind == 'sup' else '_'}{content}"]
