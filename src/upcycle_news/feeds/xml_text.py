"""The text of an XML feed made fit for any parser: references resolved, no DOCTYPE, no illegal character.

A reference to a character that does not exist costs that character. The named characters of HTML are
known with and without a DOCTYPE; an external DTD is never fetched (XML 1.0, 4.4.3: what skips a
reference has to say so, and parsers do not).
"""

from __future__ import annotations

import html
import html.entities
import re
from collections.abc import Iterator

MAX_EXPANSION = 5_000_000  # characters that internal entities may add to a body

_ILLEGAL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff\ud800-\udfff]")
_REFERENCE = re.compile(
    r"<!\[CDATA\[|<!--|&#(\d{1,9});|&#[xX]([0-9A-Fa-f]{1,8});|&([A-Za-z][\w.-]{0,40});", re.ASCII
)
_NUMERIC = re.compile(r"&#(?:(\d{1,9})|[xX]([0-9A-Fa-f]{1,8}));", re.ASCII)
_ENTITY = re.compile(
    r"<!ENTITY\s++([A-Za-z][\w.-]{0,40})\s++(?:\"([^\"<]*+)\"|'([^'<]*+)')\s*+>", re.ASCII
)
_PREDEFINED = frozenset({"amp", "lt", "gt", "quot", "apos"})
REPLACEMENT = "\ufffd"


def normalise_xml(text: str) -> str:
    """Return an XML document without prolog, DOCTYPE, illegal characters and odd references."""
    text = _ILLEGAL.sub("", text)
    head_end = re.search(r"<[A-Za-z_]", text)
    if head_end is None:
        return text
    head, body = text[: head_end.start()], text[head_end.start() :]
    return "".join(_resolved(body, dict(_internal_entities(head))))


def is_netscape(text: str) -> bool:
    """Tell whether a DOCTYPE says that this is the RSS 0.91 of Netscape."""
    head = re.match(r"(?s).{0,2000}?<[A-Za-z_]", text)
    return bool(head and re.search(r"<!DOCTYPE[^>]*netscape", head[0], re.IGNORECASE))


def _internal_entities(head: str) -> Iterator[tuple[str, str]]:
    """Yield the entities that a DOCTYPE declares as text; those made of other entities are left out."""
    for match in _ENTITY.finditer(head):
        value = match[2] if match[2] is not None else match[3]
        if not re.search(r"&(?!#)|%", value):
            yield match[1], html.unescape(value)


def _resolved(body: str, entities: dict[str, str]) -> Iterator[str]:
    position, budget = 0, MAX_EXPANSION
    while match := _REFERENCE.search(body, position):
        yield body[position : match.start()]
        position = match.end()
        if match[0] in ("<![CDATA[", "<!--"):
            # In there nothing is a reference; what is not closed is for the parser to judge.
            end = body.find("]]>" if match[0] == "<![CDATA[" else "-->", position)
            end = len(body) if end < 0 else end
            yield match[0] + body[position:end]
            position = end
        elif match[3] is None:
            replacement, position = _numeric(body, match)
            yield replacement
        elif match[3] in entities and budget > 0:
            replacement = html.escape(entities[match[3]], quote=True)
            budget -= len(replacement)
            yield replacement
        else:
            yield _named(match)
    yield body[position:]


def _numeric(body: str, match: re.Match[str]) -> tuple[str, int]:
    """Return what a numeric reference stands for, and where to read on."""
    code, end = _code(match), match.end()
    if 0xD800 <= code <= 0xDBFF and (low := _NUMERIC.match(body, end)):
        low_code = _code(low)
        if 0xDC00 <= low_code <= 0xDFFF:
            return chr(0x10000 + ((code - 0xD800) << 10) + (low_code - 0xDC00)), low.end()
    if code > 0x10FFFF or 0xD800 <= code <= 0xDFFF:
        return REPLACEMENT, end
    if code < 0x20 and code not in (9, 10, 13):
        return "", end
    # HTML's reading of 128 to 159 is that of windows-1252; noncharacters are dropped.
    return _ILLEGAL.sub("", html.unescape(match[0])) if code >= 0x80 else match[0], end


def _code(match: re.Match[str]) -> int:
    return int(match[1]) if match[1] else int(match[2], 16)


def _named(match: re.Match[str]) -> str:
    """Return the character of a name of HTML; other references are left for the parser."""
    name = match[3]
    character = html.entities.html5.get(f"{name};")
    if name in _PREDEFINED or character is None:
        return match[0]
    return html.escape(character, quote=True)
