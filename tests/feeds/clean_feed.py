"""What holds for every feed that was read, whatever was in its body."""

from __future__ import annotations

import re
import unicodedata
from datetime import UTC, datetime
from urllib.parse import urlsplit

from upcycle_news.feeds.dates import MAX_AHEAD
from upcycle_news.feeds.parser import ParsedFeed
from upcycle_news.i18n.recognition import recognise
from upcycle_news.text.urls import canonical_link, safe_link

NOW = datetime(2026, 11, 26, 12, tzinfo=UTC)


def assert_clean(feed: ParsedFeed) -> None:
    """Raise unless all items are plain text of a bounded length with safe links and plausible dates."""
    for entry in feed.items:
        for text in (entry.title, entry.summary, entry.feed):
            assert "\n" not in text
            assert not any(unicodedata.category(c) in ("Cc", "Cs") for c in text), repr(text)
            assert not re.search("[\u200b\u202a-\u202e\u2066-\u2069\ufeff]", text), repr(text)
        assert entry.title
        assert len(entry.title) <= 300
        assert len(entry.summary) <= 2000
        assert_safe(entry.link)
        assert datetime(1995, 1, 1, tzinfo=UTC) <= entry.date <= NOW + MAX_AHEAD
    keys = [entry.key for entry in feed.items]
    assert len(keys) == len(set(keys)) <= 500
    assert all(len(problem) < 400 and "\n" not in problem for problem in feed.problems)
    assert all(recognise(problem, "feeds").key != "untranslated" for problem in feed.problems)
    assert "root:x:0" not in str(feed)
    assert feed.usable or feed.items == ()


def assert_safe(link: str) -> None:
    """Raise unless a link is http or https, in ASCII, and stays as it is when it is read again."""
    assert urlsplit(link).scheme in ("http", "https")
    assert re.fullmatch(r"[!-~]{1,2000}", link)
    assert not set(link) & set('"<>{}\\^`|')
    assert safe_link(link) == link
    canonical = canonical_link(link)
    assert canonical_link(canonical) == canonical
