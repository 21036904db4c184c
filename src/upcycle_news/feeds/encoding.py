"""Decoding of a feed's body: as declared, a byte that does not fit costs one character.

A body that is wholly in a single-byte encoding in spite of its declaration is recognised by what it
lacks: text in UTF-8 has multi-byte sequences, a Latin-1 body has hardly any that make sense.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32-le"), (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"), (codecs.BOM_UTF16_LE, "utf-16-le"), (codecs.BOM_UTF16_BE, "utf-16-be"),
)  # fmt: skip
# The first bytes of a body without a BOM (XML 1.0, appendix F): "<" and another ASCII character.
_PATTERNS = (
    (re.compile(rb"<\x00\x00\x00[\x01-\x7f]\x00\x00\x00"), "utf-32-le"),
    (re.compile(rb"\x00\x00\x00<\x00\x00\x00[\x01-\x7f]"), "utf-32-be"),
    (re.compile(rb"[<{]\x00[\x01-\x7f]\x00"), "utf-16-le"),
    (re.compile(rb"\x00[<{]\x00[\x01-\x7f]"), "utf-16-be"),
    (re.compile(rb"\x4c\x6f\xa7\x94"), "cp037"),
)
_DECLARATION = re.compile(
    rb"^\s*<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([A-Za-z0-9._:-]{1,40})[\"']"
)
_CHARSET = re.compile(r"charset\s*=\s*[\"']?([A-Za-z0-9._:-]{1,40})", re.IGNORECASE)
# What these names mean to browsers (WHATWG Encoding): Latin-1 is windows-1252, GB 2312 is GB 18030.
_WESTERN = frozenset({"iso8859-1", "ascii", "cp1252"})
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949"}
# Two bytes of windows-1252 that happen to be a sequence of UTF-8: a letter and a mark, as in »Spaß«.
_LETTER_AND_MARK = re.compile(
    rb"[\xc4\xd6\xdc\xdf][\x80\x82\x84-\x86\x8b\x91-\x97\x9b\xa0\xab\xb7\xbb]"
)
_SURROGATE_PAIR = re.compile(rb"\xed([\xa0-\xaf])([\x80-\xbf])\xed([\xb0-\xbf])([\x80-\xbf])")
_SURROGATE = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")


@dataclass(frozen=True)
class Decoded:
    """A body as text. `encoding` is a codec's name; `guessed` where it is not what was declared."""

    text: str
    encoding: str
    guessed: bool = False


def decode_body(body: bytes, content_type: str = "") -> Decoded:
    """Decode a body by its BOM, its first bytes, the header and the XML declaration, in this order.

    What does not fit the declaration is U+FFFD (WHATWG Encoding), unless all of the body shows that
    the declaration is wrong.
    """
    for bom, codec in _BOMS:
        if body.startswith(bom):
            return Decoded(_decode(body[len(bom) :], codec), codec)
    for pattern, codec in _PATTERNS:
        if pattern.match(body):
            return Decoded(_decode(body, codec), codec)
    declared = _declared(body, content_type)
    text = _strict(body, "utf-8")
    if text is not None and (text.isascii() or not declared or declared[0] == "utf-8"):
        return Decoded(text, declared[0] if declared else "utf-8")
    if text is not None and _evidence(body) > 0:  # no other encoding looks like this by chance
        return Decoded(text, "utf-8", guessed=True)
    for codec in declared:
        if codec in _WESTERN:
            return Decoded(_decode(body, "cp1252"), "cp1252", guessed=codec == "ascii")
        if codec != "utf-8" and (other := _strict(body, codec)) is not None:
            return Decoded(other, codec)
        if codec == "utf-8":
            break
    if declared and "utf-8" not in declared:
        return Decoded(_decode(body, declared[0]), declared[0])
    body = _join_surrogates(body)
    if _is_utf8(body):
        return Decoded(_decode(body, "utf-8"), "utf-8")
    return Decoded(_decode(body, "cp1252"), "cp1252", guessed=True)


def _declared(body: bytes, content_type: str) -> list[str]:
    """Return the codecs that the header and the declaration name, as far as they can be true."""
    names = [match[1] for match in [_CHARSET.search(content_type)] if match]
    names += [match[1].decode("ascii") for match in [_DECLARATION.match(body)] if match]
    codecs_named: list[str] = []
    for name in names:
        try:
            codec = codecs.lookup(name).name
            "".encode(codec)  # some codecs are none of text
        except (LookupError, UnicodeError, ValueError):
            continue
        codec = _WIDER.get(codec, codec)
        # A body that begins with the bytes of "<" and another character is in none of these.
        if not codec.startswith(("utf-16", "utf-32", "utf-7")):
            codecs_named.append(codec)
    return list(dict.fromkeys(codecs_named))


def _is_utf8(body: bytes) -> bool:
    """Tell whether a body that is not all valid is UTF-8 with broken bytes, and not Latin-1.

    The texts between the tags vote, so that one long item in another encoding does not decide.
    """
    votes = 0
    for text in body.split(b"<"):
        if not text.isascii():
            broken = text.decode("utf-8", "replace").count("\ufffd") - text.count(b"\xef\xbf\xbd")
            votes += 1 if _evidence(text) >= broken else -1
    return votes >= 0


def _evidence(text: bytes) -> int:
    """Return how many sequences of UTF-8 there are that make no sense in windows-1252."""
    valid = text.decode("utf-8", "ignore")
    several = len(valid) - len(valid.encode("ascii", "ignore"))
    return several - len(_LETTER_AND_MARK.findall(text))


def _strict(body: bytes, codec: str) -> str | None:
    try:
        return body.decode(codec)
    except (UnicodeError, LookupError, ValueError):
        return None


def _decode(body: bytes, codec: str) -> str:
    try:
        return body.decode(codec, "replace")
    except (UnicodeError, LookupError, ValueError):  # a codec that cannot replace
        return body.decode("latin-1")


def _join_surrogates(body: bytes) -> bytes:
    """Turn surrogates that were encoded one by one (CESU-8) into their character or U+FFFD."""
    if b"\xed" not in body:
        return body

    def joined(match: re.Match[bytes]) -> bytes:
        high = ((match[1][0] & 0x0F) << 6) | (match[2][0] & 0x3F)
        low = ((match[3][0] & 0x0F) << 6) | (match[4][0] & 0x3F)
        return chr(0x10000 + (high << 10) + low).encode()

    return _SURROGATE.sub("\ufffd".encode(), _SURROGATE_PAIR.sub(joined, body))
