"""Selection of the feed items for an issue, with a reason for each candidate that is left out."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from upcycle_news.curation import ranking, story_clusters
from upcycle_news.curation.kept import NOTHING_KEPT, ItemResults
from upcycle_news.curation.vocabulary import Vocabulary
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import (
    Essay,
    Feed,
    FeedItem,
    Related,
    Story,
)
from upcycle_news.text.urls import canonical_link


@dataclass(frozen=True)
class SelectionLimits:
    """How many items, in all, per feed and per essay; `max_age_days` counts from the issue's day."""

    items: int = 6
    per_feed: int = 2
    per_section: int = 6
    max_age_days: int = 30


@dataclass(frozen=True)
class Candidate:
    """A story, its score and the decision; `why_not` is a sentence, None when it was chosen.

    `essay` is the slug of the essay it is most relevant to, empty without essays. `identity` is what
    its leading item is recognised by from one collection to the next.
    """

    story: Story
    essay: str
    score: float
    words: tuple[str, ...]
    why_not: LocalizedText | None = None
    pinned: bool = False
    identity: str = ""

    @property
    def chosen(self) -> bool:
        """True when it is in the issue."""
        return self.why_not is None

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object of `issue explain`."""
        lead = self.story.lead
        return {
            "essay": self.essay or None,
            "item": lead.link,
            "title": lead.title,
            "score": round(self.score, 4),
            "chosen": self.chosen,
            "reasons": list(self.words),
            "why_not": str(self.why_not) if self.why_not else None,
            "pinned": self.pinned,
            "feed": lead.feed,
            "also": [item.feed for item in self.story.items[1:]],
            "identity": self.identity or None,
        }

    def as_related(self) -> Related:
        """Return the story as an issue contains it."""
        return Related(self.story, round(self.score, 4), self.words, self.essay)


def select_candidates(
    essays: Sequence[Essay],
    candidates: Sequence[FeedItem],
    used: Collection[str],
    feeds: Sequence[Feed],
    limits: SelectionLimits,
    day: date,
    vocabulary: Vocabulary | None = None,
    excluded: Collection[str] = (),
    rejections: Mapping[FeedItem, LocalizedText] | None = None,
    issue_pins: Sequence[str] = (),
    results: ItemResults = NOTHING_KEPT,
) -> tuple[Candidate, ...]:
    """Decide on every candidate; return the chosen ones in the order of the issue, then the others.

    What is related to no essay stays out even if nothing else is there; a pin is the editor's
    decision and comes first, however old or unrelated. Without essays there is no floor. `used`
    and `excluded` hold keys and canonical links: of items in earlier issues, and of those that an
    editor left out of this one. `rejections` are items that are out for a reason of their own, `issue_pins` the
    links that the issue itself pins, before those of its essays. `results` may keep what is found about the items.

    Leaving out an item, or banning it, takes away that item and nothing else: all are scored and chosen
    as if nobody had, what was chosen stays, and the places that become free are filled.
    """
    written = [*issue_pins, *(pin for essay in essays for pin in essay.pin)]
    pins = list(dict.fromkeys(map(canonical_link, written)))
    sorted_out = _sort_out(
        essays, candidates, used, feeds, limits, day, pins, excluded, rejections or {}
    )
    weights = {feed.name: feed.weight for feed in feeds}
    rejected = list(sorted_out.rejected)
    shown: list[Story] = []  # as they would be without a person's choice
    rest: dict[Story, Story] = {}  # what a person's choice leaves of them
    for story in story_clusters.cluster_stories(sorted_out.eligible, weights, results):
        sent = any(_is_used(item, used) for item in story.items)
        if sent or any(item in sorted_out.story_left_out for item in story.items):
            reason = (
                localized("explain-story-in-earlier")
                if sent
                else localized("explain-story-left-out")
            )
            rejected += [
                Candidate(Story((item,)), "", 0.0, (), reason)
                for item in story.items
                if item not in sorted_out.recognised and item not in sorted_out.left_out
            ]
        elif left := tuple(item for item in story.items if item not in sorted_out.left_out):
            rest[story] = Story(left)
        if not sent and any(item not in sorted_out.recognised for item in story.items):
            shown.append(story)
    scores = ranking.score_stories(
        essays, shown, today=day, weights=weights, vocabulary=vocabulary, results=results
    )
    kept = frozenset[Story]()
    if any(rest.get(story) != story for story in shown):
        before = _choose(essays, scores, feeds, limits, pins)
        kept = frozenset(
            rest[story]
            for candidate in before
            for story in [candidate.story]
            if candidate.chosen and story in rest
        )
        scores = [
            replace(scored, story=rest[scored.story]) for scored in scores if scored.story in rest
        ]
    decided = _choose(essays, scores, feeds, limits, pins, kept)
    ranked = sorted(decided, key=lambda candidate: not candidate.chosen)
    return (*ranked, *sorted(rejected, key=_by_date))


@dataclass(frozen=True)
class _SortedOut:
    """Items by what is known of each alone.

    `eligible` make the stories. Of these, `left_out` are out by a person's choice, which decides about
    nothing else: they are scored with the others. `story_left_out` are those of which editors left out
    the whole story. `recognised` are out by a rule and only there to recognise their story.
    """

    eligible: tuple[FeedItem, ...]
    left_out: frozenset[FeedItem]
    story_left_out: frozenset[FeedItem]
    recognised: frozenset[FeedItem]
    rejected: tuple[Candidate, ...]


def _sort_out(
    essays: Sequence[Essay],
    candidates: Sequence[FeedItem],
    used: Collection[str],
    feeds: Sequence[Feed],
    limits: SelectionLimits,
    day: date,
    pins: Sequence[str],
    excluded: Collection[str],
    rejections: Mapping[FeedItem, LocalizedText],
) -> _SortedOut:
    active = {feed.name for feed in feeds if feed.active}
    bans = [ban for essay in essays for ban in essay.ban]
    unique = {(item.key, item.canonical, item.feed): item for item in candidates}
    eligible: list[FeedItem] = []
    left_out: set[FeedItem] = set()
    story_left_out: set[FeedItem] = set()
    recognised: set[FeedItem] = set()
    rejected: list[Candidate] = []
    for item in unique.values():
        pinned, is_excluded = is_pinned(item, pins), _is_used(item, excluded)
        choice = (
            localized("explain-left-out")
            if is_excluded
            else localized("explain-banned")
            if is_banned(item, bans)
            else None
        )
        rule = _rule_against(item, used, active, limits, day, pinned, rejections)
        if choice or rule:
            why_not = choice if is_excluded else rule or choice
            rejected.append(Candidate(Story((item,)), "", 0.0, (), why_not))
        if is_excluded and not pinned:
            story_left_out.add(item)
        if not rule:
            eligible.append(item)
            if choice:
                left_out.add(item)
        elif (is_excluded or _is_used(item, used)) and not pinned:
            eligible.append(item)
            recognised.add(item)
    return _SortedOut(
        tuple(eligible),
        frozenset(left_out),
        frozenset(story_left_out),
        frozenset(recognised),
        tuple(rejected),
    )


def _rule_against(
    item: FeedItem,
    used: Collection[str],
    active: Collection[str],
    limits: SelectionLimits,
    day: date,
    pinned: bool,
    rejections: Mapping[FeedItem, LocalizedText],
) -> LocalizedText | None:
    """Return why an item cannot be in the issue, whatever a person chose; None when it can."""
    age = (day - item.date.date()).days
    if _is_used(item, used):
        return localized("explain-in-earlier")
    if item in rejections:
        return rejections[item]
    if item.feed not in active:
        return localized("explain-feed-gone")
    if age < 0:
        return localized("explain-dated-after")
    if item.date_source == "archive" and not pinned:
        return localized("explain-undated")
    if age > limits.max_age_days and not pinned:
        return localized("explain-too-old", age=age, limit=limits.max_age_days)
    return None


def is_pinned(item: FeedItem, pins: Collection[str]) -> bool:
    """Tell whether one of the canonical links in `pins` leads to the item's page."""
    return item.page in pins


def _is_used(item: FeedItem, used: Collection[str]) -> bool:
    return item.key in used or item.canonical in used


def _by_date(candidate: Candidate) -> tuple[object, ...]:
    lead = candidate.story.lead
    return (-lead.date.timestamp(), lead.feed, lead.key, lead.link)


def _choose(
    essays: Sequence[Essay],
    scores: Sequence[ranking.StoryScore],
    feeds: Sequence[Feed],
    limits: SelectionLimits,
    pins: Sequence[str],
    kept: Collection[Story] = (),
) -> list[Candidate]:
    """Choose among eligible stories: the pinned ones, then by score within the limits per feed and essay.

    Those that are `kept` come before others with a higher score; all are returned in the order of the
    scores.
    """
    per_story: dict[Story, list[ranking.StoryScore]] = defaultdict(list)
    for scored in sorted(scores, key=ranking.sort_key):
        per_story[scored.story].append(scored)
    places = {story: place for place, story in enumerate(per_story)}
    feed_limits = {
        feed.name: limits.per_feed if feed.limit is None else feed.limit for feed in feeds
    }
    taken: Counter[str] = Counter()
    sections: Counter[str] = Counter()
    decided: list[Candidate] = []

    def take(scored: ranking.StoryScore, story: Story, pinned: bool) -> None:
        taken[story.lead.feed] += 1
        sections[scored.essay] += 1
        decided.append(Candidate(story, scored.essay, scored.score, scored.words, pinned=pinned))

    for pin in pins:
        for story in [
            story for story in per_story if any(is_pinned(item, [pin]) for item in story.items)
        ]:
            scored = _score_for_pin(per_story.pop(story), essays, pin)
            if len(decided) < limits.items:
                # The item that was pinned leads its story.
                items = tuple(sorted(story.items, key=lambda item: not is_pinned(item, [pin])))
                take(scored, Story(items), pinned=True)
            else:
                decided.append(
                    _left_out(
                        scored, localized("explain-issue-full", items=limits.items), pinned=True
                    )
                )
    pinned_count = len(decided)
    floor = ranking.FLOOR if essays else 0.0
    for ranked in sorted(per_story.values(), key=lambda ranked: ranked[0].story not in kept):
        scored = ranked[0]
        why_not: LocalizedText | None
        feed = scored.story.lead.feed
        allowed = feed_limits.get(feed, limits.per_feed)
        if scored.evidence < floor:
            why_not = (
                localized("explain-too-little") if scored.words else localized("explain-no-word")
            )
        elif len([candidate for candidate in decided if candidate.chosen]) >= limits.items:
            why_not = localized("explain-issue-full", items=limits.items)
        elif taken[feed] >= allowed:
            why_not = localized("explain-feed-full", feed=feed, allowed=allowed)
        elif scored.essay and sections[scored.essay] >= limits.per_section:
            why_not = localized("explain-essay-full", items=limits.per_section)
        else:
            take(scored, scored.story, pinned=False)
            why_not = None
        if why_not:
            decided.append(_left_out(scored, why_not))
        decided += [
            _left_out(other, localized("explain-other-essay"))
            for other in ranked[1:]
            if other.evidence >= floor
        ]
    by_score = sorted(decided[pinned_count:], key=lambda candidate: places[candidate.story])
    return [*decided[:pinned_count], *by_score]


def _score_for_pin(
    scores: Sequence[ranking.StoryScore], essays: Sequence[Essay], pin: str
) -> ranking.StoryScore:
    """Return the score for the essay that pins the item, whatever essay it is more relevant to."""
    pinning = {essay.slug for essay in essays if pin in map(canonical_link, essay.pin)}
    return next((scored for scored in scores if scored.essay in pinning), scores[0])


def _left_out(
    scored: ranking.StoryScore, why_not: LocalizedText, pinned: bool = False
) -> Candidate:
    return Candidate(scored.story, scored.essay, scored.score, scored.words, why_not, pinned)


def is_banned(item: FeedItem, bans: Sequence[str]) -> bool:
    """Tell whether an essay bans this item: by its link, or by a whole word of title or summary."""
    text = f"{item.title} {item.summary}"
    for ban in bans:
        if "://" in ban:
            if canonical_link(ban) == item.page:
                return True
        elif ban and re.search(rf"(?<!\w){re.escape(ban)}(?!\w)", text, re.IGNORECASE):
            return True
    return False
