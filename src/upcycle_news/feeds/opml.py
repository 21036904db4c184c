"""Import and export of the list of feeds as OPML 2.0, the format all feed readers share.

Settings that OPML lacks are attributes of a namespace of this project, so that export and import give
the same list. Folders of other programs become topics. What they write is read although it is not quite
OPML: names of attributes in any case, bare ampersands, HTML's named characters, lines before the first.
"""

from __future__ import annotations

import html
import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple
from xml.parsers.expat import errors

from upcycle_news.errors import ContentError
from upcycle_news.feeds.encoding import decode_body
from upcycle_news.feeds.feeds_toml import MAX_WEIGHT
from upcycle_news.feeds.xml_text import normalise_xml
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import Feed
from upcycle_news.text.languages import language_tag
from upcycle_news.text.sanitize import neutralise_braces, normalise_whitespace
from upcycle_news.text.urls import BadLinkError, safe_link, without_feed_scheme

NAMESPACE = "https://upcycle-news.invalid/opml"
MAX_BYTES = 5 * 1024 * 1024
MAX_DEPTH = 20
_EXTRA_KEYS = ("topics", "weight", "limit", "active")
_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
# An ampersand that begins no reference of XML; in CDATA it is none.
_BARE_AMPERSAND = re.compile(
    r"<!\[CDATA\[.*?\]\]>|&(?!(?:amp|lt|gt|quot|apos|#\d{1,7}|#[xX][0-9A-Fa-f]{1,6});)", re.DOTALL
)
_REFERENCE = re.compile(r"&(?:#\d{1,7}|#x[0-9a-f]{1,6}|[a-z][a-z0-9]{1,30});", re.IGNORECASE)
# Types of outlines that make a feed of something else, such as "HTML+XPath" of FreshRSS, or lead to a list.
_NO_FEED = re.compile(r"html|xpath|dotnotation|scrap|include", re.IGNORECASE)
_FAULTS = {
    errors.XML_ERROR_TAG_MISMATCH: localized("opml-mismatched-tag"),
    errors.XML_ERROR_NO_ELEMENTS: localized("opml-unfinished"),
    errors.XML_ERROR_UNCLOSED_TOKEN: localized("opml-unfinished"),
    errors.XML_ERROR_DUPLICATE_ATTRIBUTE: localized("opml-attribute-twice"),
    errors.XML_ERROR_JUNK_AFTER_DOC_ELEMENT: localized("opml-junk-behind"),
    errors.XML_ERROR_INVALID_TOKEN: localized("opml-invalid-token"),
}


@dataclass(frozen=True)
class Opml:
    """The feeds of an OPML file, and a sentence for each outline that could not be used."""

    feeds: tuple[Feed, ...]
    skipped: tuple[LocalizedText, ...]


def as_opml(feeds: Sequence[Feed], title: str) -> str:
    """Write feeds as OPML."""
    ET.register_namespace("upcycle", NAMESPACE)
    root = ET.Element("opml", version="2.0")
    ET.SubElement(ET.SubElement(root, "head"), "title").text = title
    body = ET.SubElement(root, "body")
    for feed in feeds:
        outline = ET.SubElement(
            body, "outline", type="rss", text=feed.name, title=feed.name, xmlUrl=feed.url
        )
        outline.set("language", feed.language)
        if feed.topics:
            outline.set("category", ",".join(topic.replace(",", " ") for topic in feed.topics))
        extra = {
            "topics": list(feed.topics), "weight": feed.weight, "limit": feed.limit,
            "active": feed.active,
        }  # fmt: skip
        for key in _EXTRA_KEYS:
            outline.set(f"{{{NAMESPACE}}}{key}", json.dumps(extra[key], ensure_ascii=False))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, "unicode") + "\n"


def parse_opml(data: bytes, where: str, language: str = "de") -> Opml:
    """Parse an OPML file; raises `ContentError` when it is none.

    `language` is that of feeds for which the file names none, or none that there is.
    """
    if len(data) > MAX_BYTES:
        raise ContentError(where, None, localized("opml-too-large"))
    root = _root(decode_body(data).text, where)
    body = next((child for child in root if _local_name(child) == "body"), None)
    if _local_name(root) != "opml" or body is None:
        raise ContentError(where, None, localized("opml-none"))
    feeds: list[Feed] = []
    skipped: list[LocalizedText] = []
    too_deep = False
    for outline in _outlines(body):
        too_deep |= outline.depth > MAX_DEPTH
        name = outline.name[:200]
        try:
            if outline.depth <= MAX_DEPTH and outline.address:
                feeds.append(_feed(outline, language))
            elif outline.depth <= MAX_DEPTH and outline.names_no_feed:
                skipped.append(
                    localized("opml-no-address", name=name or localized("opml-nameless"))
                )
        except _UnusableError as error:
            skipped.append(
                localized(
                    "opml-skipped", name=name or localized("opml-nameless"), reason=error.reason
                )
            )
    if too_deep:
        skipped.append(localized("opml-too-deep", count=MAX_DEPTH))
    if not feeds and not skipped:
        raise ContentError(where, None, localized("opml-empty"))
    return Opml(tuple(feeds), tuple(skipped))


def _root(text: str, where: str) -> ET.Element:
    """Return the root of an XML document that other programs wrote by hand."""
    if re.search(r"<!\s*ENTITY", text, re.IGNORECASE):  # they could make a small file enormous
        raise ContentError(where, None, localized("opml-entities"))
    text = _COMMENT.sub(lambda match: "\n" * match[0].count("\n"), text)
    first = re.search(r"<[A-Za-z_]", text)
    lines_before = text.count("\n", 0, first.start()) if first else 0
    document = _BARE_AMPERSAND.sub(
        lambda match: match[0] if match[0] != "&" else "&amp;", normalise_xml(text)
    )
    try:
        # Internal entities are refused above, and no document type is left.
        return ET.fromstring(document)  # noqa: S314
    except ET.ParseError as error:
        fault = _FAULTS.get(errors.messages.get(error.code, ""), localized("opml-not-xml"))
        line = error.position[0] + lines_before
        raise ContentError(where, line, fault) from None


def _local_name(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2].lower()


class _Outline(NamedTuple):
    """An outline: its attributes by name in lower case, the names of its folders, and its level."""

    attributes: Mapping[str, str]
    folders: tuple[str, ...]
    depth: int
    is_leaf: bool

    @property
    def name(self) -> str:
        texts = (_clean(self.attributes.get(key, "")) for key in ("text", "title"))
        return next(filter(None, texts), "")

    @property
    def kind(self) -> str:
        return self.attributes.get("type", "").strip()

    @property
    def address(self) -> str:
        """The address of its feed; some programs call it ``url``, as others do that of a page."""
        is_feed = self.kind.lower() in ("rss", "atom")
        url = self.attributes.get("xmlurl", "").strip()
        return url or (self.attributes.get("url", "").strip() if is_feed else "")

    @property
    def names_no_feed(self) -> bool:
        """True where something is listed that is no folder and no feed either."""
        listed = any(self.attributes.get(key, "").strip() for key in ("url", "htmlurl"))
        return self.is_leaf and (listed or self.kind.lower() in ("rss", "atom"))


class _UnusableError(Exception):
    """An outline is no feed that could be listed."""

    def __init__(self, reason: LocalizedText) -> None:
        super().__init__(reason.key)
        self.reason = reason


def _outlines(body: ET.Element) -> Iterator[_Outline]:
    """Yield the outlines in their order, down to the first level that is too deep."""
    waiting: list[tuple[ET.Element, tuple[str, ...], int]] = [(body, (), 0)]
    while waiting:
        element, folders, depth = waiting.pop()
        if depth:
            attributes: dict[str, str] = {}
            for key, value in element.attrib.items():
                attributes.setdefault(key.lower(), value)
            outline = _Outline(attributes, folders, depth, len(element) == 0)
            yield outline
            if outline.name and not outline.address:
                folders = (*folders, outline.name)
        if depth <= MAX_DEPTH:
            children = [child for child in element if _local_name(child) == "outline"]
            waiting += [(child, folders, depth + 1) for child in reversed(children)]


def _feed(outline: _Outline, language: str) -> Feed:
    if _NO_FEED.search(outline.kind):
        raise _UnusableError(localized("opml-kind", kind=outline.kind[:40]))
    try:
        # Addresses are escaped twice by those who escape names twice.
        url = safe_link(without_feed_scheme(outline.address.replace("&amp;", "&")))
    except BadLinkError as error:
        raise _UnusableError(error.about(localized("href-address"))) from None
    attributes = outline.attributes
    extra = {key: _extra(attributes, key) for key in _EXTRA_KEYS}
    topics = extra["topics"]
    if not isinstance(topics, list) or not all(isinstance(topic, str) for topic in topics):
        category = attributes.get("category", "").split(",")
        topics = [*outline.folders, *(_clean(part.rpartition("/")[2]) for part in category)]
    weight, limit = extra["weight"], extra["limit"]
    return Feed(
        name=outline.name[:200] or url.partition("://")[2].partition("/")[0],
        url=url,
        topics=tuple(dict.fromkeys(topic for topic in topics if topic)),
        weight=float(weight)
        if isinstance(weight, int | float) and 0 <= weight <= MAX_WEIGHT
        else 1.0,
        language=language_tag(attributes.get("language", "")) or language,
        limit=limit
        if isinstance(limit, int) and not isinstance(limit, bool) and limit > 0
        else None,
        active=extra["active"] is not False,
    )


def _clean(text: str) -> str:
    """Return a name on one line; what was escaped twice is decoded once more."""
    text = _REFERENCE.sub(lambda match: html.unescape(match[0]), text)
    return neutralise_braces(normalise_whitespace(text))


def _extra(attributes: Mapping[str, str], key: str) -> object:
    try:
        return json.loads(attributes.get(f"{{{NAMESPACE}}}{key}".lower()) or "null")
    except (ValueError, RecursionError):
        return None
