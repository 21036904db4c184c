"""Identity of feed items, within one body of a feed and from one collection to the next.

What the feed offers decides, the strongest first:

1. A guid that is no web address. It is another item all the same if title, date and text are all new
   and the texts share no sentence.
2. Title and text together, whatever guid and link: publishers correct slugs, move to other hosts, list
   an article in two sections. A series repeats both, so an item with a guid of its own and another
   date is another one, unless the guids of this feed have been seen to change.
3. Without a guid the link, by the same rule as a guid. A page that several items of the feed share
   identifies none of them.
4. What vanished at the moment when something appeared that has its text and its date to the second,
   or some of its text and the path of its link.

Pure functions: items that are stored, and those of a new body.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import (
    Callable,
    Collection,
    Container,
    Hashable,
    Iterable,
    Iterator,
    Mapping,
    Sequence,
)
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import lru_cache
from itertools import count, islice
from urllib.parse import urlsplit

from upcycle_news.feeds.boilerplate import folded
from upcycle_news.models import Feed, FeedItem
from upcycle_news.text.sanitize import normalise_whitespace
from upcycle_news.text.sentences import split_sentences
from upcycle_news.text.urls import canonical_link, fragment_of, page_key

MAX_KEY = 400
MIN_SENTENCE = 2  # words of a sentence that two texts can share
MIN_COMMON = 40  # characters that are the same text although one goes on
MIN_CHANGES = 2  # guids that changed before the guids of a feed count as unstable

BY_GUID = "its guid"
BY_LINK = "its link"
BY_TEXT = "its title and text"
BY_DATE = "its text and its date"
BY_PATH = "its text and the path of its link"


@dataclass(frozen=True)
class BodyItem:
    """An item of a body, when it says that it was changed last, and its pictures.

    `other_guids` are those of its repetitions in the body.
    """

    item: FeedItem
    updated: datetime
    images: tuple[str, ...] = ()
    other_guids: tuple[str, ...] = ()


@dataclass(frozen=True)
class GuidStability:
    """How often guids that are no web addresses stayed with their items, and how often not."""

    kept: int = 0
    changed: int = 0

    @property
    def stable(self) -> bool:
        """False for a feed whose guids have shown that they do not identify its items."""
        return self.changed < MIN_CHANGES or self.changed * 3 <= self.kept


@dataclass(frozen=True)
class ResolvedItem:
    """An item under its key for good; `identity` is what it is recognised by, and what changed."""

    item: FeedItem
    identity: str
    known: bool


@dataclass(frozen=True)
class Resolution:
    """The items of a body, and what they showed of the feed's guids."""

    items: tuple[ResolvedItem, ...]
    guids: GuidStability


def item_key(guid: str, canonical: str, title: str, feed: Feed) -> str:
    """Return the key of an item: its guid, made unique where it is a mere number, else link and title.

    It depends on nothing else in the feed, so that what is sent stays recognisable.
    """
    guid = normalise_whitespace(guid)
    if not guid:
        return _short(f"{canonical} {_hash(folded(title))}")
    if feed.url and not re.match(r"(?:https?://|tag:|urn:)", guid):
        guid = f"{feed.url} {guid}"
    return _short(guid)


def distinct_items(bodies: Sequence[BodyItem], page: str = "") -> tuple[BodyItem, ...]:
    """Return the items of a body without repetitions, each with a key of its own.

    `page` is the canonical address of the feed's own page, which identifies no item.
    """
    kept: list[BodyItem] = []
    by_guid: dict[str, list[int]] = defaultdict(list)
    by_text: dict[Hashable, list[int]] = defaultdict(list)
    for body in bodies:
        guid, text = guid_key(body.item.guid), _text_key(body.item)
        same = next(
            (n for n in by_guid[guid] if guid and _is_same_entry(kept[n].item, body.item)), None
        )
        if same is None:
            same = next((n for n in by_text[text] if _is_repeated(kept[n].item, body.item)), None)
        if same is None:
            by_guid[guid].append(len(kept))
            by_text[text].append(len(kept))
            kept.append(body)
        elif guid and guid == guid_key(kept[same].item.guid):
            if kept[same].updated < body.updated:
                kept[same] = body  # RFC 4287, 4.1.1: the newest of those with one id
        elif guid:
            others = (*kept[same].other_guids, body.item.guid)
            kept[same] = replace(kept[same], other_guids=others)
    return tuple(_with_own_pages(_with_own_keys(kept), page))


def _is_same_entry(first: FeedItem, second: FeedItem) -> bool:
    """Tell whether two entries of a body that share their guid are one."""
    if folded(first.title) == folded(second.title):
        return True
    return link_key(first) == link_key(second) and not is_new_content(first, second)


def _is_repeated(first: FeedItem, second: FeedItem) -> bool:
    """Tell whether two entries of a body with the same title are one: of one text, and of one day."""
    if link_key(first) == link_key(second) and not (first.guid and second.guid):
        return _texts(first, second) in ("same", "missing")
    if not has_same_text(first, second):
        return False
    return not is_dated(first) or not is_dated(second) or first.date.date() == second.date.date()


def _with_own_keys(bodies: Sequence[BodyItem]) -> list[BodyItem]:
    """Give items that share a key, because a guid is used for several, keys of their own."""
    shared = Counter(body.item.key for body in bodies)
    keys: set[str] = set()
    result = []
    for body in bodies:
        item = body.item
        if shared[item.key] > 1:
            free = (key for key in islice(possible_keys(item), 1, None) if key not in keys)
            item = replace(item, key=next(free))
        keys.add(item.key)
        result.append(replace(body, item=item))
    return result


def _with_own_pages(bodies: Sequence[BodyItem], page: str) -> Iterable[BodyItem]:
    shared = Counter(page_key(body.item.canonical) for body in bodies)
    for body in bodies:
        own = page_key(body.item.canonical)
        if shared[own] > 1 or (page and own == page_key(page)):
            yield replace(body, item=_with_own_page(body.item))
        else:
            yield body


def _with_own_page(item: FeedItem) -> FeedItem:
    """Mark a page that does not identify the item, so that it does not merge it with its neighbours."""
    return replace(item, canonical=f"{item.page}#item-{_hash(item.key)}")


def possible_keys(item: FeedItem) -> Iterator[str]:
    """Yield the keys that an item may get: its own, with its link, with title and text, numbered."""
    yield item.key
    link = _short(f"{item.key} {item.page}")
    text = _short(f"{link} {_hash(f'{folded(item.title)} {folded(item.summary)}')}")
    yield from (link, text)
    yield from (_short(f"{text} {number}") for number in count(2))


# --- from one collection to the next -------------------------------------------------------------


def resolve_items(
    items: Sequence[FeedItem],
    known: Sequence[FeedItem],
    guids: GuidStability,
    other_guids: Mapping[str, Sequence[str]] | None = None,
    stored_keys: Container[str] = (),
) -> Resolution:
    """Recognise the items of a body among the stored ones of its feed; the others get keys of their own.

    A recognised item has the stored key, and its page as long as it stays on it. `other_guids` are, by
    the key of an item, those of its repetitions in the body. `known` need not be more than
    `item_marks.sought_items` asks for; then `stored_keys` are those of all.
    """
    matching = _Matching(items, known, guids, other_guids or {})
    matching.run()
    taken = {item.key for item in known}
    pages: dict[str, set[str]] = defaultdict(set)
    for item in known:
        pages[page_key(item.page)].add(item.key)
    resolved = []
    for index, item in enumerate(items):
        stored, identity = matching.found.get(index, (None, ""))
        if stored is not None:
            item = replace(item, key=stored.key)
            if page_key(stored.page) == page_key(item.page):
                item = replace(item, canonical=stored.canonical)
            elif pages[page_key(item.page)] - {stored.key}:
                item = _with_own_page(item)
        else:
            keys = (key for key in possible_keys(item) if key not in taken)
            item = replace(item, key=next(key for key in keys if key not in stored_keys))
            if "#item-" in item.canonical or pages[page_key(item.page)]:
                item = _with_own_page(item)
            identity = _identity_of(item, guids)
        taken.add(item.key)
        resolved.append(ResolvedItem(item, identity, stored is not None))
    return Resolution(tuple(resolved), matching.stability())


def _identity_of(item: FeedItem, guids: GuidStability) -> str:
    """Return what a new item will be recognised by."""
    if _is_opaque(item.guid):
        return BY_GUID if guids.stable else f"{BY_TEXT}, because the guids of its feed change"
    return BY_TEXT if item.guid or "#item-" in item.canonical else BY_LINK


def _changes(stored: FeedItem, item: FeedItem) -> str:
    """Return what of an item is not as it was, as the end of a sentence."""
    pairs = {
        "guid": (guid_key(stored.guid), guid_key(item.guid)),
        "link": (link_key(stored), link_key(item)),
        "title": (folded(stored.title), folded(item.title)),
    }
    changed = [name for name, (before, now) in pairs.items() if before != now]
    return f"; changed: {', '.join(changed)}" if changed else ""


@dataclass
class _Matching:
    """The assignment of a body's items to stored ones, the surest pairs first; each is used once."""

    items: Sequence[FeedItem]
    known: Sequence[FeedItem]
    guids: GuidStability
    other_guids: Mapping[str, Sequence[str]]
    found: dict[int, tuple[FeedItem, str]] = field(default_factory=dict)
    claimed: set[str] = field(default_factory=set)
    kept: int = 0
    changed: int = 0

    def run(self) -> None:
        """Match by guid, text, link and coincidence."""
        by_guid = _index(self.known, lambda item: guid_key(item.guid))
        by_text = _index(self.known, _text_key)
        by_link = _index(self.known, link_key)
        by_date = _index(self.known, lambda item: item.date if is_dated(item) else None)
        shared = {link for link, items in by_link.items() if len(items) > 1}
        shared |= {link for link, count in Counter(map(link_key, self.items)).items() if count > 1}

        def all_guids(item: FeedItem) -> Sequence[Hashable]:
            return [guid_key(guid) for guid in (item.guid, *self.other_guids.get(item.key, ()))]

        self._match(by_guid, all_guids, _is_exact, BY_GUID)
        self._match(by_guid, all_guids, self._is_same_by_guid, BY_GUID)
        self._match(by_text, _single(_text_key), _is_exact_date, BY_TEXT)
        self._match(by_text, _single(_text_key), self._is_same_by_text, BY_TEXT)
        self._match(
            by_link, _single(link_key), lambda a, b: self._is_same_by_link(a, b, shared), BY_LINK
        )
        self._match(by_date, _single(lambda item: item.date), self._is_coincident, BY_DATE)
        by_path = _index(self.known, path_key)
        self._match(by_path, _single(path_key), self._is_same_by_path, BY_PATH)
        self._count_reused(by_guid)

    def _match(
        self,
        index: Mapping[Hashable, list[FeedItem]],
        keys: Callable[[FeedItem], Sequence[Hashable]],
        is_same: Callable[[FeedItem, FeedItem], bool],
        identity: str,
    ) -> None:
        for number, item in enumerate(self.items):
            if number in self.found:
                continue
            for stored in (stored for key in keys(item) if key for stored in index.get(key, ())):
                if stored.key not in self.claimed and is_same(stored, item):
                    self.claimed.add(stored.key)
                    self.found[number] = (stored, identity + _changes(stored, item))
                    self._count(stored, item)
                    break

    def _count(self, stored: FeedItem, item: FeedItem) -> None:
        if _is_opaque(stored.guid) and _is_opaque(item.guid):
            if guid_key(stored.guid) == guid_key(item.guid):
                self.kept += 1
            else:
                self.changed += 1

    def _count_reused(self, by_guid: Mapping[Hashable, list[FeedItem]]) -> None:
        """Count guids that are on something new although what they stood for is known."""
        for number, item in enumerate(self.items):
            if number not in self.found and _is_opaque(item.guid):
                self.changed += bool(by_guid.get(guid_key(item.guid)))

    def stability(self) -> GuidStability:
        """Return what is known of the feed's guids after this body."""
        return GuidStability(self.guids.kept + self.kept, self.guids.changed + self.changed)

    def _decides(self, first: FeedItem, second: FeedItem) -> bool:
        """Tell whether two items have guids that identify items in this feed, and different ones."""
        opaque = _is_opaque(first.guid) and _is_opaque(second.guid)
        # What this body has shown so far counts as well.
        return opaque and self.stability().stable and guid_key(first.guid) != guid_key(second.guid)

    def _is_same_by_guid(self, stored: FeedItem, item: FeedItem) -> bool:
        if not self.stability().stable and _is_opaque(item.guid):
            return has_same_text(stored, item) or _is_edited(stored, item)
        return not is_new_content(stored, item)

    def _is_same_by_text(self, stored: FeedItem, item: FeedItem) -> bool:
        if not has_same_text(stored, item):
            return False
        return not self._decides(stored, item) or not _has_new_date(stored, item)

    def _is_same_by_link(
        self, stored: FeedItem, item: FeedItem, shared: Collection[Hashable]
    ) -> bool:
        """Apply the rule of guids to a link, for items without a guid or with another one than before."""
        texts, is_shared = _texts(stored, item), link_key(item) in shared
        same_title = folded(stored.title) == folded(item.title)
        if self._decides(stored, item):
            same_date = is_dated(stored) and is_dated(item) and stored.date == item.date
            given_another = same_title or texts == "same" or (texts == "shared" and same_date)
            return given_another and not is_shared and not _has_new_date(stored, item)
        if is_shared or (stored.guid and item.guid):
            same_text = texts == "same" and not (is_shared and _has_new_date(stored, item))
            return same_text or _is_edited(stored, item)
        if texts == "missing" and not same_title:
            return not _has_new_date(stored, item)
        return not is_new_content(stored, item)

    def _is_coincident(self, stored: FeedItem, item: FeedItem) -> bool:
        """Tell whether something took the place of what vanished: with its date and some of its text."""
        if not is_dated(item):
            return False
        texts = _texts(stored, item)
        same_title = folded(stored.title) == folded(item.title)
        return texts == "same" or (
            texts == "shared" and (same_title or not self._decides(stored, item))
        )

    def _is_same_by_path(self, stored: FeedItem, item: FeedItem) -> bool:
        """Tell whether what vanished stands at the same path now, edited, on another host or marked."""
        if self._decides(stored, item) or _has_new_date(stored, item):
            return False
        return _texts(stored, item) in ("same", "shared")


def is_new_content(stored: FeedItem, item: FeedItem) -> bool:
    """Tell whether title, date and text are all new and the texts share no sentence.

    A missing date is neither new nor old. Where neither has a text, the link has to be new instead.
    """
    if folded(stored.title) == folded(item.title):
        return False
    if stored.summary or item.summary:
        if _texts(stored, item) != "different":
            return False
    elif link_key(stored) == link_key(item):
        return False
    return not is_dated(stored) or not is_dated(item) or stored.date != item.date


def has_same_text(first: FeedItem, second: FeedItem) -> bool:
    """Tell whether two items have the same title and text; without texts the date decides, to the second."""
    if folded(first.title) != folded(second.title):
        return False
    if not first.summary and not second.summary:
        return is_dated(first) and is_dated(second) and first.date == second.date
    return _texts(first, second) == "same"


def _is_exact(stored: FeedItem, item: FeedItem) -> bool:
    return folded(stored.title) == folded(item.title) or _texts(stored, item) == "same"


def _is_exact_date(stored: FeedItem, item: FeedItem) -> bool:
    return has_same_text(stored, item) and not _has_new_date(stored, item)


def _is_edited(stored: FeedItem, item: FeedItem) -> bool:
    """Tell whether an item is another version: its title is old, and so is its date or some of its text."""
    if folded(stored.title) != folded(item.title):
        return False
    return not _has_new_date(stored, item) or _texts(stored, item) != "different"


def _texts(first: FeedItem, second: FeedItem) -> str:
    """Compare two texts: "same", "shared" (a sentence of theirs), "different", or "missing"."""
    if not first.summary or not second.summary:
        return "missing"
    short, long = sorted((folded_once(first.summary), folded_once(second.summary)), key=len)
    if short == long or (
        long.startswith(f"{short} ") and len(short) >= max(MIN_COMMON, len(long) // 2)
    ):
        return "same"
    return "different" if _sentences(first).isdisjoint(_sentences(second)) else "shared"


def _sentences(item: FeedItem) -> frozenset[str]:
    return sentences_of(item.summary)


# The same texts are compared many times over where a feed has one title for all.
folded_once = lru_cache(maxsize=4096)(folded)


@lru_cache(maxsize=4096)
def sentences_of(text: str) -> frozenset[str]:
    """Return the sentences that two texts can share, as they are compared."""
    sentences = map(folded, split_sentences(text))
    return frozenset(sentence for sentence in sentences if len(sentence.split()) >= MIN_SENTENCE)


def is_dated(item: FeedItem) -> bool:
    """Tell whether an item's date is the feed's."""
    return item.date_source in ("feed", "german")


def _has_new_date(stored: FeedItem, item: FeedItem) -> bool:
    return is_dated(stored) and is_dated(item) and stored.date != item.date


def _is_opaque(guid: str) -> bool:
    """Tell whether a guid is one that is no web address."""
    return bool(guid) and not re.match(r"https?://", guid.strip(), re.IGNORECASE)


def guid_key(guid: str) -> str:
    """Return a guid as it is compared: an address like a link, empty without one."""
    guid = normalise_whitespace(guid)
    if not guid or _is_opaque(guid):
        return guid
    return f"{page_key(canonical_link(guid))}#{fragment_of(guid)}"


def link_key(item: FeedItem) -> Hashable:
    """Return an item's page as links to it are compared, with the fragment of its own link."""
    return f"{page_key(item.page)}#{fragment_of(item.link)}"


def path_key(item: FeedItem) -> Hashable:
    """Return the path of an item's link, nothing for a front page."""
    return urlsplit(item.page).path.strip("/")


def _text_key(item: FeedItem) -> Hashable:
    return folded(item.title) or normalise_whitespace(item.title)


def _single(key: Callable[[FeedItem], Hashable]) -> Callable[[FeedItem], Sequence[Hashable]]:
    return lambda item: [key(item)]


def _index(
    items: Sequence[FeedItem], key: Callable[[FeedItem], Hashable]
) -> dict[Hashable, list[FeedItem]]:
    index: dict[Hashable, list[FeedItem]] = defaultdict(list)
    for item in items:
        if found := key(item):
            index[found].append(item)
    return index


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def _short(key: str) -> str:
    if len(key) <= MAX_KEY:
        return key
    return "sha256:" + hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()
