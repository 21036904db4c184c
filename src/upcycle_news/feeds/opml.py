"""Import and export of the list of feeds as OPML 2.0, the format all feed readers share.

Settings that OPML lacks are attributes of a namespace of this project, so that export and import give
the same list. Folders of other programs become topics.
"""

from __future__ import annotations

import json
import re
import xml.etree.ElementTree as ET
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from upcycle_news.errors import ContentError
from upcycle_news.feeds.feeds_toml import MAX_WEIGHT
from upcycle_news.models import Feed
from upcycle_news.text.sanitize import normalise_whitespace
from upcycle_news.text.urls import BadLinkError, safe_link

NAMESPACE = "https://upcycle-news.invalid/opml"
MAX_BYTES = 5 * 1024 * 1024
MAX_DEPTH = 20
_EXTRA_KEYS = ("topics", "weight", "limit", "active")


@dataclass(frozen=True)
class Opml:
    """The feeds of an OPML file, and a sentence for each outline that could not be used."""

    feeds: tuple[Feed, ...]
    skipped: tuple[str, ...]


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


def parse_opml(data: bytes, where: str) -> Opml:
    """Parse an OPML file; raises `ContentError` when it is none."""
    if len(data) > MAX_BYTES:
        raise ContentError(where, None, "is larger than 5 MiB, which no list of feeds is")
    # Entities could make a small file enormous; no OPML needs a document type.
    if re.search(rb"<!\s*(?:DOCTYPE|ENTITY)", data, re.IGNORECASE) or b"\x00" in data:
        raise ContentError(
            where, None, "declares a document type, or is not UTF-8 (export it again as plain OPML)"
        )
    try:
        root = ET.fromstring(data)  # noqa: S314
    except (ET.ParseError, ValueError, LookupError) as error:
        line = getattr(error, "position", (None,))[0]
        raise ContentError(where, line, "is not XML (is it an OPML file?)") from None
    body = root.find("body")
    if root.tag != "opml" or body is None:
        raise ContentError(where, None, "is not OPML (there is no <opml> with a <body>)")
    feeds: list[Feed] = []
    skipped: list[str] = []
    for outline, folders in _outlines(body, ()):
        name = normalise_whitespace(outline.get("text") or outline.get("title") or "")[:200]
        try:
            feeds.append(_feed(outline, name, folders))
        except BadLinkError as error:
            skipped.append(f"{name or 'a feed without name'}: {error}")
    return Opml(tuple(feeds), tuple(skipped))


def _outlines(
    parent: ET.Element, folders: tuple[str, ...]
) -> Iterator[tuple[ET.Element, tuple[str, ...]]]:
    for outline in parent.findall("outline"):
        if outline.get("xmlUrl"):
            yield outline, folders
        name = normalise_whitespace(outline.get("text") or outline.get("title") or "")
        inner = (*folders, name) if name and not outline.get("xmlUrl") else folders
        if len(folders) < MAX_DEPTH:
            yield from _outlines(outline, inner)


def _feed(outline: ET.Element, name: str, folders: tuple[str, ...]) -> Feed:
    url = safe_link(re.sub(r"^feed:(?://)?(?=https?:)", "", outline.get("xmlUrl") or ""))
    extra = {key: _extra(outline, key) for key in _EXTRA_KEYS}
    topics = extra["topics"]
    if not isinstance(topics, list) or not all(isinstance(topic, str) for topic in topics):
        category = (outline.get("category") or "").split(",")
        topics = [*folders, *(normalise_whitespace(part.rpartition("/")[2]) for part in category)]
    weight, limit = extra["weight"], extra["limit"]
    language = outline.get("language") or "de"
    return Feed(
        name=name
        or normalise_whitespace(outline.get("title") or "")
        or url.partition("://")[2].partition("/")[0],
        url=url,
        topics=tuple(dict.fromkeys(topic for topic in topics if topic)),
        weight=float(weight)
        if isinstance(weight, int | float) and 0 <= weight <= MAX_WEIGHT
        else 1.0,
        language=language
        if re.fullmatch(r"[a-z]{2,3}(?:-[A-Z]{2})?", language)
        else language[:2].lower()
        if re.match(r"[A-Za-z]{2}", language)
        else "de",
        limit=limit
        if isinstance(limit, int) and not isinstance(limit, bool) and limit > 0
        else None,
        active=extra["active"] is not False,
    )


def _extra(outline: ET.Element, key: str) -> object:
    try:
        return json.loads(outline.get(f"{{{NAMESPACE}}}{key}") or "null")
    except (ValueError, RecursionError):
        return None
