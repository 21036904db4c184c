"""Addresses in Markdown: bare ones become links, those with spaces in their destination work."""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import lru_cache
from typing import NamedTuple

from markdown_it import MarkdownIt
from markdown_it.common.utils import unescapeAll
from markdown_it.rules_core import StateCore
from markdown_it.rules_inline import StateInline

_URL = re.compile(
    r"""(?<![\w@/.])(?:https?://|www\.(?=[\w-]+\.))(?:[\w-]+(?:\.[\w-]+)*)(?::\d+)?
    (?:[/?\#](?:\\[!-/:-@\[-`{-~]|[^\s<>\[\]"„“”‚‘’»«›‹…`\\\u00ad\u200b-\u200f\u2060])*)?""",
    re.VERBOSE,
)
_MAIL = re.compile(
    r"(?<![\w.+%@/-])(mailto:)?(?:[A-Za-z0-9]|\\?_)(?:[A-Za-z0-9.+%-]|\\?_)*"
    r"@(?:[^\W_](?:[\w-]*[^\W_])?\.)+[^\W\d_]{2,}(?![\w-])(?(1)(?:\?[\w%&=.~+-]*[\w%])?)"
)
_TRAILING = "?!.,:;*_~'"


class _Address(NamedTuple):
    """A bare address in a text: ``text[start:end]`` leads to `target`."""

    start: int
    end: int
    target: str


def bare_links_plugin(parser: MarkdownIt) -> None:
    """Turn bare addresses into links, as GFM's autolinks do; also those in German quotation marks.

    Closing punctuation is none of an address, and a closing bracket only where one opens within it.
    ``www.`` stands for https.
    """
    parser.inline.ruler.at("text", _text)


def _text(state: StateInline, silent: bool) -> bool:
    """Take the text up to the next mark or address; an address becomes a link."""
    start = state.pos
    addresses = () if silent or state.linkLevel else _addresses(state.src)
    place = bisect_left(addresses, (start,)) if addresses else 0
    following = addresses[place] if place < len(addresses) else None
    if following and following.start == start and following.end <= state.posMax:
        _push_link(state, following)
        return True
    mark = state.md.inline.terminator_re.search(state.src, start)
    end = min(mark.start() if mark else state.posMax, state.posMax)
    if following and start < following.start < end:
        end = following.start
    if end == start:
        return False
    if not silent:
        state.append_pending(state.src[start:end])
    state.pos = end
    return True


def _push_link(state: StateInline, address: _Address) -> None:
    opening = state.push("link_open", "a", 1)
    opening.attrs = {"href": state.md.normalizeLink(address.target)}
    opening.markup, opening.info = "linkify", "auto"
    text = state.push("text", "", 0)
    text.content = unescapeAll(state.src[address.start : address.end])
    closing = state.push("link_close", "a", -1)
    closing.markup, closing.info = "linkify", "auto"
    state.pos = address.end


@lru_cache(maxsize=8)
def _addresses(text: str) -> tuple[_Address, ...]:
    """Return the bare addresses of a text by their place."""
    if "://" not in text and "www." not in text and "@" not in text:
        return ()
    found: list[_Address] = []
    for match in _URL.finditer(text):
        end = _end_of_url(text, match.start(), match.end())
        url = unescapeAll(text[match.start() : end])
        found.append(_Address(match.start(), end, f"https://{url}" if url[0] == "w" else url))
    taken = [(address.start, address.end) for address in found]
    for match in _MAIL.finditer(text):
        if not any(start <= match.start() < end for start, end in taken):
            mail = unescapeAll(match[0])
            target = mail if mail.startswith("mailto:") else f"mailto:{mail}"
            found.append(_Address(match.start(), match.end(), target))
    return tuple(sorted(found))


def _end_of_url(text: str, start: int, end: int) -> int:
    """Return where an address ends without closing punctuation and unbalanced brackets."""
    while end > start:
        last = text[end - 1]
        if last in _TRAILING or (
            last == ")" and text.count(")", start, end) > text.count("(", start, end)
        ):
            end -= 1
        else:
            break
    return end - 1 if text[end - 1] == "\\" else end


_CODE = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
_DESTINATION = re.compile(
    r"""(?<!\\)(?P<image>!?)(?P<label>\[(?:[^\[\]\\\n]|\\.|!?\[[^\[\]\n]*\](?:\([^()\n]*\))?)*\])
    \((?P<target>[^\s()<>"](?:[^()<>"\n]|\([^()\n]*\))*?)(?P<title>\s+(?:"[^"\n]*"|'[^'\n]*'))?\s*\)""",
    re.VERBOSE,
)
_PICTURE_FILE = re.compile(r"\.(?:png|jpe?g|gif|webp|svg|avif|heic|tiff?|bmp)$", re.IGNORECASE)
_WEB = re.compile(r"https?://\S")


def spaced_destinations_plugin(parser: MarkdownIt) -> None:
    """Read ``![…](Tresen von vorn.png)`` and ``[…](https://example.org/der plan.pdf)`` as meant.

    CommonMark allows no spaces there (6.3). Only what ends as picture files do or begins as web
    addresses do is one: brackets behind brackets may be text.
    """
    parser.core.ruler.before("inline", "spaced_destinations", _encode_spaces)


_WIDTH = re.compile(r"\|\d+(?:x\d+)?$")


def picture_widths_plugin(parser: MarkdownIt) -> None:
    """Drop the width that Obsidian writes behind an alternative text: ``![Haus|200](haus.jpg)``."""
    parser.core.ruler.after("inline", "picture_widths", _drop_widths)


def _drop_widths(state: StateCore) -> None:
    for token in state.tokens:
        for child in token.children or ():
            if child.type == "image" and child.children and child.children[-1].type == "text":
                child.children[-1].content = _WIDTH.sub("", child.children[-1].content)


def _encode_spaces(state: StateCore) -> None:
    for token in state.tokens:
        if token.type == "inline" and "](" in token.content:
            token.content = encode_spaces(token.content)


def encode_spaces(text: str) -> str:
    """Return a text whose destinations with spaces have ``%20`` there; code is left alone."""
    pieces, position = [], 0
    for code in _CODE.finditer(text):
        pieces += [_DESTINATION.sub(_encoded, text[position : code.start()]), code[0]]
        position = code.end()
    return "".join(pieces) + _DESTINATION.sub(_encoded, text[position:])


def _encoded(match: re.Match[str]) -> str:
    label, target = match["label"][1:-1], match["target"].strip()
    if "](" in label:
        label = encode_spaces(label)
    meant = _PICTURE_FILE.search(target) if match["image"] else _WEB.match(target)
    if " " in target and meant:
        target = target.replace(" ", "%20")
        return f"{match['image']}[{label}]({target}{match['title'] or ''})"
    return f"{match['image']}[{label}]{match.string[match.end('label') : match.end()]}"
