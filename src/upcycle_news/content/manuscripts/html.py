"""Reads HTML as word processors, Google Docs and web pages write it. Nothing is loaded."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import unquote_to_bytes

from lxml import etree

from upcycle_news.content.manuscripts.css_styles import apply_class_rules
from upcycle_news.content.manuscripts.document import Document, Losses
from upcycle_news.content.manuscripts.encodings import decode_text
from upcycle_news.content.manuscripts.exported_html import tidy_exported
from upcycle_news.content.manuscripts.notes import gather_notes
from upcycle_news.content.manuscripts.word_lists import restore_word_lists
from upcycle_news.errors import ContentError
from upcycle_news.i18n.messages import localized
from upcycle_news.text.sanitize import normalise_whitespace

MAX_ELEMENTS = 200_000

_CHARSET = re.compile(rb"<meta[^>]+charset\s*=\s*[\"']?\s*([\w-]+)", re.IGNORECASE)

ReadBeside = Callable[[str], bytes | None]
"""Returns the file that lies at a path beside the manuscript, None where there is none."""


def read_html(data: bytes, where: str, read_beside: ReadBeside) -> Document:
    """Return an HTML file as a document; raises `ContentError` for what is no text."""
    return document_of_html(_text(data, where), where, read_beside)


def _text(data: bytes, where: str) -> str:
    """Decode by mark, by what the page declares if it is true, else as any text."""
    match = _CHARSET.search(data[:4096])
    if match and not data.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        name = match[1].decode("ascii").lower()
        # The web reads these as Windows-1252 (WHATWG Encoding, 4.2).
        name = "cp1252" if name in ("iso-8859-1", "latin1", "us-ascii") else name
        # What could be read as ASCII to find this is neither UTF-16 nor UTF-7 (4.2 and 14.5 there).
        name = "utf-8" if name.startswith(("utf-16", "utf-32", "utf-7", "utf7")) else name
        try:
            return data.decode(name)
        except (LookupError, UnicodeDecodeError):
            pass
    return decode_text(data, where)


def parse_html(text: str, where: str) -> Any:
    """Return the root of an HTML tree; raises `ContentError` for one that is too large."""
    parser = etree.HTMLParser(
        encoding="utf-8", no_network=True, huge_tree=False, remove_comments=True, remove_pis=True
    )
    root = etree.fromstring(text.encode("utf-8", "ignore"), parser)
    if root is None:
        raise ContentError(where, None, localized("manuscript-empty"))
    if sum(1 for _ in root.iter()) > MAX_ELEMENTS:
        raise ContentError(where, None, localized("manuscript-bomb"))
    return root


def document_of_html(text: str, where: str, read_beside: ReadBeside) -> Document:
    """Return the text of an HTML file as a document."""
    # Conditional comments of Word hold a second copy of what stands beside them.
    root = parse_html(re.sub(r"<!\[(?:if|endif)[^>]*\]>", "", text), where)
    losses = Losses()
    apply_class_rules(root)
    restore_word_lists(root)
    tidy_exported(root, losses)
    gather_notes(root)
    body = root.find("body")
    if body is None:
        body = root
    articles = [element for name in ("article", "main") for element in body.iter(name)]
    if len(articles) == 1:
        body = articles[0]
    document = Document(
        body=body,
        losses=losses,
        title=_first_heading(body) or _head_title(root),
        author=_meta(root, "author"),
        language=root.get("lang") or root.get("{http://www.w3.org/XML/1998/namespace}lang") or "",
    )
    _load_pictures(document, read_beside)
    return document


def _first_heading(body: Any) -> str:
    headings = [normalise_whitespace("".join(h.itertext())) for h in body.iter("h1")]
    return headings[0] if len(headings) == 1 else ""


def _head_title(root: Any) -> str:
    """Return the page's title without the name of its site: ``Der Laden | Blatt``."""
    element = root.find(".//head/title")
    title = normalise_whitespace(element.text or "") if element is not None else ""
    return re.split(r"\s[|·»]\s", title)[0]


def _meta(root: Any, name: str) -> str:
    for element in root.iter("meta"):
        if (element.get("name") or "").lower() == name:
            return normalise_whitespace(element.get("content") or "")
    return ""


def _load_pictures(document: Document, read_beside: ReadBeside) -> None:
    """Collect the pictures that lie in the page or beside it; others are told and not loaded."""
    for number, element in enumerate(document.body.iter("img"), 1):
        source = (element.get("src") or "").strip()
        data = _data_url(source) if source.startswith("data:") else None
        if data is None and not re.match(r"[a-z][a-z0-9+.-]*:|//", source, re.IGNORECASE):
            data = read_beside(source)
        if data is None:
            kind = "remote" if "//" in source else "picture"
            document.losses.at(kind, element.get("alt") or source[:60])
            continue
        key = f"picture-{number}"
        document.pictures[key] = data
        element.set("src", key)


def _data_url(source: str) -> bytes | None:
    """Return the content of a data URL (RFC 2397)."""
    kind, comma, content = source[5:].partition(",")
    if not comma:
        return None
    try:
        data = unquote_to_bytes(content)
        return base64.b64decode(data, validate=False) if kind.endswith(";base64") else data
    except (ValueError, binascii.Error):
        return None
