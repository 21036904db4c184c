"""Parsing of JSON Feed 1.0 and 1.1 (jsonfeed.org), which feedparser does not support."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from upcycle_news.feeds.entries import RawEntry, RawFeed, RawLink, RawText
from upcycle_news.i18n.messages import LocalizedText, localized

_VERSION = re.compile(r"https?://jsonfeed\.org/version/1(?:\.(\d))?/?")
_EMPTY = RawText("", html=False)


def is_json(text: str, content_type: str) -> bool:
    """Tell whether a body is JSON: by its first character, because content types are often wrong."""
    start = text[:200].lstrip()
    return start.startswith("{") or ("json" in content_type.lower() and not start.startswith("<"))


def parse_json_feed(text: str) -> RawFeed:
    """Parse a JSON Feed; errors become problems, never exceptions."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError):
        return _no_feed(localized("feed-json-invalid"))
    version = _VERSION.fullmatch(str(data.get("version"))[:60]) if isinstance(data, dict) else None
    if version is None:
        return _no_feed(localized("feed-json-other"))
    items = data.get("items")
    if not isinstance(items, list):
        return _no_feed(localized("feed-json-items"))
    entries = tuple(_entry(item) for item in items if isinstance(item, dict))
    skipped = sum(not isinstance(item, dict) for item in items)
    problems = (str(localized("feed-json-skipped", number=skipped)),) if skipped else ()
    return RawFeed(
        f"json1{version[1] or 0}",
        RawText(_text(data, "title"), html=False),
        entries,
        problems,
        base=_text(data, "feed_url") or _text(data, "home_page_url"),
        page=_text(data, "home_page_url"),
        language=_text(data, "language"),
        complete=not skipped,
    )


def _no_feed(problem: LocalizedText) -> RawFeed:
    return RawFeed("", _EMPTY, (), (str(problem),))


def _entry(item: dict[str, Any]) -> RawEntry:
    # The specification requires a string and tells parsers to accept numbers too.
    identity = item.get("id")
    texts = (
        RawText(_text(item, "summary"), html=False),
        RawText(_text(item, "content_text"), html=False),
        RawText(_text(item, "content_html"), html=True),
    )
    published, modified = _text(item, "date_published"), _text(item, "date_modified")
    return RawEntry(
        id=str(identity) if isinstance(identity, str | int | float) else "",
        titles=(RawText(_text(item, "title"), html=False),),
        texts=tuple(text for text in texts if text.value),
        dates=tuple(filter(None, (published, modified))),
        links=tuple(_links(item)),
        updated=modified,
        language=_text(item, "language"),
        images=tuple(
            (_text(item, key), "", "") for key in ("image", "banner_image") if key in item
        ),
        contents=tuple(text for text in reversed(texts[1:]) if text.value),
        summaries=texts[:1] if texts[0].value else (),
        authors=tuple(_authors(item)),
        categories=tuple(tag for tag in _list(item, "tags") if isinstance(tag, str)),
    )


def _authors(item: dict[str, Any]) -> Iterator[str]:
    """Yield the names of an item's authors: a list since 1.1, one before."""
    for author in (*_list(item, "authors"), item.get("author")):
        if isinstance(author, dict) and (name := _text(author, "name")):
            yield name


def _list(item: dict[str, Any], key: str) -> list[Any]:
    value = item.get(key)
    return value if isinstance(value, list) else []


def _links(item: dict[str, Any]) -> Iterator[RawLink]:
    """Yield an item's pages and what is attached to it; its id is its address if it is one (1.1, id)."""
    for key in ("url", "external_url"):
        if href := _text(item, key):
            yield RawLink(href)
    attachments = item.get("attachments")
    for attachment in attachments if isinstance(attachments, list) else ():
        if isinstance(attachment, dict) and (href := _text(attachment, "url")):
            yield RawLink(href, "enclosure", _text(attachment, "mime_type"))


def _text(data: dict[str, Any], key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else ""
