"""Decide what goes into an issue. A pure function: the same inputs give the same issue."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date

from upcycle_news.editorial import related, stories
from upcycle_news.editorial.excerpt import excerpt
from upcycle_news.editorial.links import canonical_link
from upcycle_news.editorial.plaintext import eased
from upcycle_news.errors import NothingNew
from upcycle_news.model import Essay, Feed, FeedItem, Issue, IssueId, Related, Story


@dataclass(frozen=True)
class Limits:
    """How much goes into an issue. `max_age_days` counts from its day, `excerpt` in characters."""

    essays: int = 5
    items: int = 6
    per_feed: int = 2
    per_section: int = 6
    max_age_days: int = 30
    excerpt: int = 280
    items_only: bool = False


def compose(
    *,
    id: IssueId,  # the word of the design; it shadows a builtin that is not needed here
    language: str,
    essays: Sequence[Essay],
    published: Collection[str],
    candidates: Sequence[FeedItem],
    used: Collection[str],
    feeds: Sequence[Feed],
    limits: Limits,
) -> Issue:
    """Choose essays and the items that belong to them; raises `NothingNew` when there is no issue.

    `published` are slugs, `used` keys and canonical links of items of earlier issues.
    """
    chosen = choose_essays(essays, published, id.day)[: limits.essays]
    everything = _admitted(candidates, used, feeds)
    fresh = [
        item for item in everything if 0 <= (id.day - item.date.date()).days <= limits.max_age_days
    ]
    if not chosen and not (limits.items_only and fresh):
        raise NothingNew(_nothing_new(id.day, essays, published, len(fresh), limits))
    picked = _choose_items(chosen, everything, fresh, feeds, limits, id.day)
    if not chosen and not picked:
        raise NothingNew(_nothing_new(id.day, essays, published, 0, limits))
    lead = picked[0].story.lead if picked else None
    return Issue(
        id=id,
        language=language,
        subject=chosen[0].title if chosen or lead is None else lead.title,
        preheader=chosen[0].summary if chosen or lead is None else lead.summary,
        essays=chosen,
        related=picked,
        topics=_topics(chosen, picked),
    )


def choose_essays(
    essays: Sequence[Essay], published: Collection[str], day: date
) -> tuple[Essay, ...]:
    """Return the essays that are ready, due and not published yet; the newest leads."""
    due = (
        essay
        for essay in essays
        if essay.status == "ready" and essay.date <= day and essay.slug not in published
    )
    return tuple(sorted(due, key=lambda essay: (-essay.date.toordinal(), essay.slug)))


def _admitted(
    candidates: Sequence[FeedItem], used: Collection[str], feeds: Sequence[Feed]
) -> list[FeedItem]:
    """Drop what an earlier issue had and what comes from feeds that rest or are listed no more."""
    gone = frozenset(used)
    active = {feed.name for feed in feeds if feed.active}
    items = {
        (item.key, item.canonical): item
        for item in candidates
        if item.feed in active and item.key not in gone and item.canonical not in gone
    }
    return sorted(
        items.values(), key=lambda item: (-item.date.timestamp(), item.feed, item.key, item.link)
    )


def _choose_items(
    essays: Sequence[Essay],
    everything: Sequence[FeedItem],
    fresh: Sequence[FeedItem],
    feeds: Sequence[Feed],
    limits: Limits,
    day: date,
) -> tuple[Related, ...]:
    bans = [ban for essay in essays for ban in essay.ban]
    pins = list(dict.fromkeys(canonical_link(pin) for essay in essays for pin in essay.pin))
    # A pin is the editor's word: it also brings back what is too old by now.
    pool = {
        id(item): item
        for item in [*fresh, *(item for item in everything if item.canonical in pins)]
    }
    allowed = [
        item for item in pool.values() if item.date.date() <= day and not is_banned(item, bans)
    ]
    weights = {feed.name: feed.weight for feed in feeds}
    told = stories.merge(allowed, weights)
    ranked = related.rank(essays, told, today=day, weights=weights, floor=0.0)
    pinned = _pinned(ranked, pins)
    floor = 0.0 if not essays else related.FLOOR
    others = [one for one in ranked if one not in pinned and one.score >= floor]
    chosen = [*pinned, *_balanced(others, feeds, limits, pinned)][: limits.items]
    return tuple(replace(one, story=_with_excerpts(one.story, limits.excerpt)) for one in chosen)


def _pinned(ranked: Sequence[Related], pins: Sequence[str]) -> list[Related]:
    """Return the pinned stories in the order of the pins, the pinned item leading its story."""
    found: list[Related] = []
    for pin in pins:
        for one in ranked:
            items = one.story.items
            if pin in {item.canonical for item in items} and not any(
                one.story.lead in other.story.items for other in found
            ):
                led = tuple(sorted(items, key=lambda item: item.canonical != pin))
                found.append(replace(one, story=Story(led)))
    return found


def _balanced(
    ranked: Sequence[Related], feeds: Sequence[Feed], limits: Limits, pinned: Sequence[Related]
) -> list[Related]:
    """Take no more of a feed than it may have; what is pinned counts."""
    most = {feed.name: limits.per_feed if feed.limit is None else feed.limit for feed in feeds}
    taken = Counter(one.story.lead.feed for one in pinned)
    chosen = []
    for one in ranked:
        feed = one.story.lead.feed
        if taken[feed] < most.get(feed, limits.per_feed):
            taken[feed] += 1
            chosen.append(one)
    return chosen


def is_banned(item: FeedItem, bans: Sequence[str]) -> bool:
    """Tell whether an essay bans this item: by its link, or by a whole word of title or summary."""
    text = f"{item.title} {item.summary}"
    for ban in bans:
        if "://" in ban:
            if canonical_link(ban) == item.canonical:
                return True
        elif ban and re.search(rf"(?<!\w){re.escape(ban)}(?!\w)", text, re.IGNORECASE):
            return True
    return False


def _with_excerpts(story: Story, length: int) -> Story:
    """Make a story's texts what is printed: excerpts, without the brackets of templates."""
    return Story(
        tuple(
            replace(item, title=eased(item.title), summary=eased(excerpt(item.summary, length)))
            for item in story.items
        )
    )


def _topics(essays: Sequence[Essay], picked: Sequence[Related]) -> tuple[str, ...]:
    """An issue is about what its essays are about; without essays, what its items are about."""
    if essays:
        return tuple(dict.fromkeys(topic for essay in essays for topic in essay.topics))
    return tuple(dict.fromkeys(topic for one in picked for topic in one.story.lead.topics))


def _nothing_new(
    day: date, essays: Sequence[Essay], published: Collection[str], fresh: int, limits: Limits
) -> str:
    """Say what there is and what would make an issue of it."""
    drafts = sum(essay.status == "draft" for essay in essays)
    later = sum(essay.status == "ready" and essay.date > day for essay in essays)
    known = sum(essay.status == "ready" and essay.slug in published for essay in essays)
    counts = [
        f"{count} {what}"
        for count, what in ((known, "published"), (drafts, "still draft"), (later, "dated later"))
        if count
    ]
    shelf = ", ".join(counts) or "there is none yet"
    waiting = f"; {_items(fresh)} waiting" if fresh else ", and no new feed item"
    cure = "write one (upcycle-news essay new TITLE) or set a draft to status: ready"
    if fresh and not limits.items_only:
        cure += ", or allow issues of feed items alone (issue.items_only in newsletter.toml)"
    return f"no new essay for {day.isoformat()} (essays: {shelf}){waiting}: {cure}"


def _items(count: int) -> str:
    return "1 feed item is" if count == 1 else f"{count} feed items are"
