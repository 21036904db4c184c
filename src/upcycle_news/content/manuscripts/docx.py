"""Reads .docx files: mammoth writes HTML of their parts, and their pictures are collected."""

from __future__ import annotations

import re
from typing import Any

from upcycle_news.content.manuscripts.document import Document, Losses
from upcycle_news.content.manuscripts.docx_parts import NUMBER, ROLE, DocxParts
from upcycle_news.content.manuscripts.html import parse_html
from upcycle_news.content.manuscripts.notes import gather_notes
from upcycle_news.content.manuscripts.package import Package
from upcycle_news.errors import ContentError
from upcycle_news.i18n.messages import localized
from upcycle_news.text.sanitize import normalise_whitespace

_DC = "{http://purl.org/dc/elements/1.1/}"
_PREFIX = "docx-"
_STYLE_MAP = "\n".join(
    [
        f"p.{ROLE}title => p.title:fresh",
        *(f"p.{ROLE}heading-{level} => h{level}:fresh" for level in range(1, 7)),
        f"p.{ROLE}quote => blockquote > p:fresh",
        f"p.{ROLE}caption => p.caption:fresh",
        "r[style-name='Strong'] => ",
        "r[style-name='Hyperlink'] => ",
    ]
)


def read_docx(package: Package) -> Document:
    """Return a .docx package as a document; raises `ContentError` for a damaged one."""
    losses = Losses()
    parts = DocxParts(package, losses)
    pictures: dict[str, bytes] = {}
    html = _html(parts, pictures)
    root = parse_html(f"<html><body>{html}</body></html>", package.where)
    gather_notes(root)
    body = root.find("body")
    _number_items(body)
    _note_missing_texts(parts.texts, body, losses)
    document = Document(body, losses, language=parts.styles.language, pictures=pictures)
    properties = package.xml("docProps/core.xml")
    if properties is not None:
        document.title = normalise_whitespace(properties.findtext(f"{_DC}title") or "")
        document.author = normalise_whitespace(properties.findtext(f"{_DC}creator") or "")
        document.language = properties.findtext(f"{_DC}language") or document.language
    return document


def _html(parts: DocxParts, pictures: dict[str, bytes]) -> str:
    try:
        import mammoth  # late: 50 ms that other commands do not need
    except ModuleNotFoundError:
        raise ContentError(parts.package.where, None, localized("manuscript-needs-word")) from None

    def keep(image: Any) -> dict[str, str]:
        key = f"picture-{len(pictures) + 1}"
        with image.open() as file:
            pictures[key] = file.read()
        return {"src": key}

    zipped = parts.zipped()
    try:
        result = mammoth.convert_to_html(
            zipped,
            style_map=_STYLE_MAP,
            include_embedded_style_map=False,
            convert_image=mammoth.images.img_element(keep),
            id_prefix=_PREFIX,
        )
    except Exception as error:  # what mammoth raises for a broken file may be anything
        where = parts.package.where
        raise ContentError(where, None, localized("manuscript-damaged")) from error
    return str(result.value)


def _note_missing_texts(texts: list[str], body: Any, losses: Losses) -> None:
    """Note each piece of text that mammoth passed over: it has no notion of some elements."""
    shown = re.sub(r"[\W_]+", "", "".join(body.itertext()))
    position = 0
    for text in texts:
        letters = re.sub(r"[\W_]+", "", text)
        found = shown.find(letters, position)
        if found < 0:
            found = shown.find(letters)
        if found < 0:
            losses.at("text", text)
        else:
            position = found + len(letters)


def _number_items(body: Any) -> None:
    """Turn the bookmarks that carry numbers into ``value`` attributes of their items."""
    begin = f"{_PREFIX}{NUMBER}"
    for anchor in list(body.iter("a")):
        name = anchor.get("id") or ""
        if name.startswith(begin):
            item = anchor.getparent()
            while item is not None and item.tag != "li":
                item = item.getparent()
            if item is not None and item.get("value") is None:
                item.set("value", name.removeprefix(begin))
