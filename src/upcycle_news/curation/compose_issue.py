"""Decide what goes into an issue. A pure function: the same inputs give the same issue."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import date

from upcycle_news.curation.selection import Bounds, Choice, choose
from upcycle_news.curation.vocabulary import Vocabulary
from upcycle_news.errors import NothingNew
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import (
    Essay,
    Feed,
    FeedItem,
    Issue,
    IssueId,
    Related,
    Story,
)
from upcycle_news.text.excerpts import excerpt
from upcycle_news.text.sanitize import eased


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

    @property
    def bounds(self) -> Bounds:
        """Those that speak of feed items."""
        return Bounds(self.items, self.per_feed, self.per_section, self.max_age_days)


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
    vocabulary: Vocabulary | None = None,
) -> Issue:
    """Choose essays and the items that belong to them; raises `NothingNew` when there is no issue.

    `published` are slugs, `used` keys and canonical links of items of earlier issues.
    """
    chosen = choose_essays(essays, published, id.day)[: limits.essays]
    judged = choose(chosen, candidates, used, feeds, limits.bounds, id.day, vocabulary)
    waiting = sum(_could_be_told(one) for one in judged)
    if not chosen and not (limits.items_only and waiting):
        raise NothingNew(_nothing_new(id.day, essays, published, waiting, limits))
    picked = tuple(
        replace(one.as_related(), story=_with_excerpts(one.story, limits.excerpt))
        for one in judged
        if one.chosen
    )
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


def explain(
    *,
    day: date,
    essays: Sequence[Essay],
    published: Collection[str],
    candidates: Sequence[FeedItem],
    used: Collection[str],
    feeds: Sequence[Feed],
    limits: Limits,
    vocabulary: Vocabulary | None = None,
) -> tuple[Choice, ...]:
    """Return every candidate of an issue of `day`, the best first, with what became of it and why."""
    chosen = choose_essays(essays, published, day)[: limits.essays]
    judged = choose(chosen, candidates, used, feeds, limits.bounds, day, vocabulary)
    if chosen or limits.items_only:
        return judged
    return tuple(replace(one, why_not=one.why_not or "there is no new essay") for one in judged)


def _could_be_told(one: Choice) -> bool:
    """Whether a candidate is news for this issue, chosen or not."""
    return one.chosen or one.score > 0


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
) -> LocalizedText:
    """Say what there is and what would make an issue of it."""
    drafts = sum(essay.status == "draft" for essay in essays)
    later = sum(essay.status == "ready" and essay.date > day for essay in essays)
    known = sum(essay.status == "ready" and essay.slug in published for essay in essays)
    told = [
        *([localized("nothing-new-published", count=known)] if known else []),
        *([localized("nothing-new-draft", count=drafts)] if drafts else []),
        *([localized("nothing-new-later", count=later)] if later else []),
    ]
    alone = bool(fresh) and not limits.items_only
    return localized(
        "nothing-new",
        day=day,
        shelf=tuple(told) or localized("nothing-new-none"),
        items=localized("nothing-new-items", count=fresh)
        if fresh
        else localized("nothing-new-no-items"),
        cure=localized("nothing-new-cure-items") if alone else localized("nothing-new-cure"),
    )
