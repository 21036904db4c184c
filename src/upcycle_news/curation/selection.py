"""Which feed items an issue takes, and for each candidate why, or why not."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date

from upcycle_news.curation import ranking, story_clusters
from upcycle_news.curation.vocabulary import Vocabulary
from upcycle_news.models import (
    Essay,
    Feed,
    FeedItem,
    Related,
    Story,
)
from upcycle_news.text.urls import canonical_link


@dataclass(frozen=True)
class Bounds:
    """How many items, and how old; `max_age_days` counts from the issue's day."""

    items: int = 6
    per_feed: int = 2
    per_section: int = 6
    max_age_days: int = 30


@dataclass(frozen=True)
class Choice:
    """One candidate and what became of it; `why_not` is a sentence, empty when it was chosen.

    `essay` is the slug of the essay it fits best, empty where none was asked.
    """

    story: Story
    essay: str
    score: float
    words: tuple[str, ...]
    why_not: str = ""
    pinned: bool = False

    @property
    def chosen(self) -> bool:
        """Whether it is in the issue."""
        return not self.why_not

    def as_related(self) -> Related:
        """The story as an issue carries it."""
        return Related(self.story, round(self.score, 4), self.words, self.essay)


def choose(
    essays: Sequence[Essay],
    candidates: Sequence[FeedItem],
    used: Collection[str],
    feeds: Sequence[Feed],
    bounds: Bounds,
    day: date,
    vocabulary: Vocabulary | None = None,
) -> tuple[Choice, ...]:
    """Judge every candidate; the chosen ones stand in the order of the issue, the others after.

    What fits no essay stays out even if nothing else is there; a pin is the editor's word and comes
    first, however old or unrelated. Without essays the floor asks nothing.
    """
    pins = list(dict.fromkeys(canonical_link(pin) for essay in essays for pin in essay.pin))
    admitted, refused = _admitted(essays, candidates, used, feeds, bounds, day, pins)
    weights = {feed.name: feed.weight for feed in feeds}
    told = story_clusters.merge(admitted, weights)
    fresh = [story for story in told if not any(_is_used(item, used) for item in story.items)]
    refused += [
        _refused(item, "its story was told in an earlier issue")
        for story in told
        if story not in fresh
        for item in story.items
        if not _is_used(item, used)
    ]
    fits = ranking.fits(essays, fresh, today=day, weights=weights, vocabulary=vocabulary)
    judged = _judged(essays, fits, feeds, bounds, pins)
    ranked = sorted(judged, key=lambda one: one.why_not != "")
    return (*ranked, *sorted(refused, key=_by_date))


def _admitted(
    essays: Sequence[Essay],
    candidates: Sequence[FeedItem],
    used: Collection[str],
    feeds: Sequence[Feed],
    bounds: Bounds,
    day: date,
    pins: Sequence[str],
) -> tuple[list[FeedItem], list[Choice]]:
    """Part what may be told from what may not; used items stay, to know their stories again."""
    active = {feed.name for feed in feeds if feed.active}
    bans = [ban for essay in essays for ban in essay.ban]
    unique = {(item.key, item.canonical, item.feed): item for item in candidates}
    admitted: list[FeedItem] = []
    refused: list[Choice] = []
    for item in unique.values():
        age = (day - item.date.date()).days
        why_not = ""
        if _is_used(item, used):
            why_not = "it was in an earlier issue"
        elif item.feed not in active:
            why_not = "its feed rests or is listed no more"
        elif age < 0:
            why_not = "it is dated after the issue"
        elif is_banned(item, bans):
            why_not = "an essay bans it"
        elif age > bounds.max_age_days and item.canonical not in pins:
            why_not = f"it is {age} days old; the limit is {bounds.max_age_days}"
        if why_not:
            refused.append(_refused(item, why_not))
        if not why_not or (_is_used(item, used) and item.canonical not in pins):
            admitted.append(item)
    return admitted, refused


def _is_used(item: FeedItem, used: Collection[str]) -> bool:
    return item.key in used or item.canonical in used


def _refused(item: FeedItem, why_not: str) -> Choice:
    return Choice(Story((item,)), "", 0.0, (), why_not)


def _by_date(choice: Choice) -> tuple[object, ...]:
    lead = choice.story.lead
    return (-lead.date.timestamp(), lead.feed, lead.key, lead.link)


def _judged(
    essays: Sequence[Essay],
    fits: Sequence[ranking.Fit],
    feeds: Sequence[Feed],
    bounds: Bounds,
    pins: Sequence[str],
) -> list[Choice]:
    """Choose among the stories that may be told: the pinned ones, then by score and in balance."""
    per_story: dict[Story, list[ranking.Fit]] = defaultdict(list)
    for fit in sorted(fits, key=ranking.order):
        per_story[fit.story].append(fit)
    most = {feed.name: bounds.per_feed if feed.limit is None else feed.limit for feed in feeds}
    taken: Counter[str] = Counter()
    sections: Counter[str] = Counter()
    judged: list[Choice] = []

    def take(fit: ranking.Fit, story: Story, pinned: bool) -> None:
        taken[story.lead.feed] += 1
        sections[fit.essay] += 1
        judged.append(Choice(story, fit.essay, fit.score, fit.words, pinned=pinned))

    for pin in pins:
        for story in [one for one in per_story if pin in {item.canonical for item in one.items}]:
            fit = _of_pinning(per_story.pop(story), essays, pin)
            if len(judged) < bounds.items:
                # The item that was pinned leads its story.
                led = tuple(sorted(story.items, key=lambda item: item.canonical != pin))
                take(fit, Story(led), pinned=True)
            else:
                judged.append(_left(fit, f"the issue has its {bounds.items} items", pinned=True))
    floor = ranking.FLOOR if essays else 0.0
    for ranked in per_story.values():
        fit = ranked[0]
        feed = fit.story.lead.feed
        allowed = most.get(feed, bounds.per_feed)
        if fit.evidence < floor:
            why_not = "it shares too little with any essay" if fit.words else "no word is shared"
        elif len([one for one in judged if one.chosen]) >= bounds.items:
            why_not = f"the issue has its {bounds.items} items"
        elif taken[feed] >= allowed:
            why_not = f"'{feed}' has its {allowed} items"
        elif fit.essay and sections[fit.essay] >= bounds.per_section:
            why_not = f"its essay has its {bounds.per_section} items"
        else:
            take(fit, fit.story, pinned=False)
            why_not = ""
        if why_not:
            judged.append(_left(fit, why_not))
        judged += [
            _left(other, "it belongs to another essay more")
            for other in ranked[1:]
            if other.evidence >= floor
        ]
    return judged


def _of_pinning(fits: Sequence[ranking.Fit], essays: Sequence[Essay], pin: str) -> ranking.Fit:
    """The fit with the essay that pins it, whatever it fits better."""
    pinning = {e.slug for e in essays if pin in map(canonical_link, e.pin)}
    return next((fit for fit in fits if fit.essay in pinning), fits[0])


def _left(fit: ranking.Fit, why_not: str, pinned: bool = False) -> Choice:
    return Choice(fit.story, fit.essay, fit.score, fit.words, why_not, pinned)


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
