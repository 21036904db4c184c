"""Marks of items: texts by which those that a body may be about are found among all that its feed ever brought.

Whatever `item_identity.resolve_items` can recognise shares a mark with what it is recognised as. By its rules:

- guids: the guid;
- title and text: the title with the beginning of the text, without texts the date;
- links: the link, of which two items tell whether it is shared; where it is, the title as well, the date, or the
  same text without a date, which is a matter of the next two;
- a date and some text: the date;
- a path and some text, unless both have a date and not the same: the date, or the path with a sentence or with the
  beginning of the text. An item with a date has the mere path instead, as only items without one look for it.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from functools import cache
from hashlib import sha256
from itertools import islice
from pathlib import Path

from upcycle_news.feeds import boilerplate, item_identity
from upcycle_news.feeds.boilerplate import folded
from upcycle_news.feeds.item_identity import (
    MIN_COMMON,
    folded_once,
    guid_key,
    is_dated,
    link_key,
    path_key,
    possible_keys,
    sentences_of,
)
from upcycle_news.models import FeedItem
from upcycle_news.text import sanitize, sentences, urls
from upcycle_news.text.urls import page_key

COMMON_KEYS = 3  # keys of its own that an item gets, apart from numbered ones


@dataclass(frozen=True)
class SoughtItems:
    """What finds the items that a body may be about: their marks, marks of which two items are enough, and keys."""

    marks: frozenset[str]
    shared: frozenset[str]
    keys: frozenset[str]


@cache
def marking() -> str:
    """Return a name for the rules of marks: a hash of the modules that make them, as marks are stored."""
    modules = (boilerplate, item_identity, sanitize, sentences, urls)
    files = [Path(str(module.__file__)) for module in modules] + [Path(__file__)]
    code = b"".join(file.read_bytes() for file in files)
    return sha256(unicodedata.unidata_version.encode() + code).hexdigest()


def marks_of(item: FeedItem) -> frozenset[str]:
    """Return the marks by which a stored item is found."""
    return frozenset(_marks(item))


def _marks(item: FeedItem) -> Iterator[str]:
    if guid := guid_key(item.guid):
        yield _guid(guid)
    if item.summary:
        yield _text(item)
    yield from (_link(item), _titled_link(item))
    if _link(item) != _bare_link(item):
        yield _page(item)
    if is_dated(item):
        yield from (_date(item), _dated_path(item))
    else:
        yield from _texts_at_path(item)


def sought_items(
    items: Sequence[FeedItem], other_guids: Mapping[str, Sequence[str]]
) -> SoughtItems:
    """Return what finds all stored items that the items of a body can be recognised as, or have to evade."""
    marks: set[str] = set()
    shared: set[str] = set()
    keys: set[str] = set()
    for item in items:
        guids = map(guid_key, (item.guid, *other_guids.get(item.key, ())))
        marks.update(map(_guid, filter(None, guids)))
        marks.update((_text(item), _titled_link(item), *_texts_at_path(item)))
        marks.add(_date(item) if is_dated(item) else _dated_path(item))
        shared.update((_link(item), _bare_link(item), _page(item)))
        keys.update(islice(possible_keys(item), COMMON_KEYS))
    return SoughtItems(frozenset(marks), frozenset(shared), frozenset(keys))


def _guid(guid: str) -> str:
    return f"guid {guid}"


def _text(item: FeedItem) -> str:
    return f"text {folded(item.title)}\n{_beginning(item)}"


def _beginning(item: FeedItem) -> str:
    """Return what the texts of two items have in common that are the same, although one goes on."""
    return folded_once(item.summary)[:MIN_COMMON]


def _link(item: FeedItem) -> str:
    return f"link {link_key(item)}"


def _bare_link(item: FeedItem) -> str:
    """Return the mark of a link to the item's page without a fragment."""
    return f"link {page_key(item.page)}#"


def _page(item: FeedItem) -> str:
    """Return the mark of an item with a fragment; those without one have `_bare_link`."""
    return f"page {page_key(item.page)}"


def _titled_link(item: FeedItem) -> str:
    return f"title {link_key(item)}\n{folded(item.title)}"


def _date(item: FeedItem) -> str:
    return f"date {item.date.astimezone(UTC).isoformat()}"


def _dated_path(item: FeedItem) -> str:
    return f"dated {path_key(item)}"


def _texts_at_path(item: FeedItem) -> Iterator[str]:
    if item.summary:
        path = path_key(item)
        yield f"beginning {path}\n{_beginning(item)}"
        for sentence in sentences_of(item.summary):
            yield f"sentence {path}\n{sentence}"
