"""Parsing of JSON Feed 1.0 and 1.1 (jsonfeed.org), which feedparser does not support."""

from __future__ import annotations

import json
import re
from typing import Any

from upcycle_news.feeds.entries import (
    MAX_ENTRIES,
    RawEntry,
    RawFeed,
    RawText,
)

_VERSION = re.compile(r"https?://jsonfeed\.org/version/1(?:\.(\d))?/?")
_EMPTY = RawText("", html=False)


def is_json(body: bytes, content_type: str) -> bool:
    """Tell whether a body is JSON: by its first character, because content types are often wrong."""
    start = body[:200].removeprefix(b"\xef\xbb\xbf").lstrip()
    return start.startswith(b"{") or ("json" in content_type.lower() and not start.startswith(b"<"))


def parse_json_feed(body: bytes) -> RawFeed:
    """Parse a JSON Feed; errors become problems, never exceptions."""
    try:
        data = json.loads(body.decode("utf-8-sig", "replace"))
    except (ValueError, RecursionError):
        return _no_feed("it is not valid JSON")
    version = _VERSION.fullmatch(str(data.get("version"))[:60]) if isinstance(data, dict) else None
    if version is None:
        return _no_feed("it is JSON, but not a JSON Feed (there is no 'version' of jsonfeed.org)")
    items = data.get("items")
    if not isinstance(items, list):
        return _no_feed("its 'items' are not a list")
    entries = tuple(_entry(item) for item in items[: MAX_ENTRIES + 1] if isinstance(item, dict))
    skipped = sum(not isinstance(item, dict) for item in items[: MAX_ENTRIES + 1])
    problems = (f"{skipped} items are not objects and were skipped",) if skipped else ()
    return RawFeed(
        f"json1{version[1] or 0}",
        RawText(_text(data, "title"), html=False),
        entries,
        problems,
        base=_text(data, "feed_url") or _text(data, "home_page_url"),
    )


def _no_feed(problem: str) -> RawFeed:
    return RawFeed("", _EMPTY, (), (problem,))


def _entry(item: dict[str, Any]) -> RawEntry:
    # The specification requires a string and tells parsers to accept numbers too.
    identity = item.get("id")
    texts = (
        RawText(_text(item, "summary"), html=False),
        RawText(_text(item, "content_text"), html=False),
        RawText(_text(item, "content_html"), html=True),
    )
    return RawEntry(
        id=str(identity) if isinstance(identity, str | int | float) else "",
        link=_text(item, "url") or _text(item, "external_url"),
        title=RawText(_text(item, "title"), html=False),
        texts=tuple(text for text in texts if text.value),
        dates=tuple(filter(None, (_text(item, "date_published"), _text(item, "date_modified")))),
        images=tuple(
            (_text(item, key), "", "") for key in ("image", "banner_image") if key in item
        ),
    )


def _text(data: dict[str, Any], key: str) -> str:
    value = data.get(key)
    return value if isinstance(value, str) else ""
