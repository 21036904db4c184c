"""Decide what goes into an issue: pure functions, the same inputs give the same issue."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING

from upcycle_news.curation.kept import NOTHING_KEPT, ItemResults
from upcycle_news.errors import NothingNew
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import (
    Essay,
    EssayPlace,
    Feed,
    FeedItem,
    Issue,
    IssueFile,
    IssueId,
    Related,
    Story,
)
from upcycle_news.text.excerpts import excerpt
from upcycle_news.text.sanitize import neutralise_braces, truncate
from upcycle_news.text.typography import base_language
from upcycle_news.text.urls import canonical_link

# Ranking is loaded when items are chosen: limits, and which essays come next, need none of it.
if TYPE_CHECKING:
    from upcycle_news.curation.selection import Candidate, SelectionLimits
    from upcycle_news.curation.vocabulary import Vocabulary

SENTENCE = 140
"""Characters of an excerpt for each sentence that it may have."""

MAX_TITLE = 200
"""Characters of a feed item's title that an issue shows."""


@dataclass(frozen=True)
class Limits:
    """How much goes into an issue. `max_age_days` counts from its day; `excerpt` is in characters."""

    essays: int = 5
    items: int = 6
    per_feed: int = 2
    per_section: int = 6
    max_age_days: int = 30
    excerpt: int = 280
    items_only: bool = False

    @property
    def selection(self) -> SelectionLimits:
        """The limits that apply to feed items."""
        from upcycle_news.curation.selection import SelectionLimits

        return SelectionLimits(self.items, self.per_feed, self.per_section, self.max_age_days)


@dataclass(frozen=True)
class LanguageRules:
    """The languages of an issue, the publication's `own` and the `further` ones, and what they hold.

    `leaves_out`: essays without a translation are left out, instead of shown in the language that they
    have; `own_items`: of the feed items only those of the language, and those that editors pinned.
    """

    own: str = ""
    further: tuple[str, ...] = ()
    leaves_out: bool = False
    own_items: bool = True

    def is_for_all(self, essay: Essay, language: str) -> bool:
        """Tell whether an essay is in no language of the publication, and is told in this one."""
        known = {base_language(one) for one in (self.own, *self.further)}
        return language == self.own and base_language(essay.language) not in known


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
    excluded: Collection[str] = (),
    rejections: Mapping[FeedItem, LocalizedText] | None = None,
    file: IssueFile | None = None,
    overruled: tuple[str, ...] = (),
    withheld: int = 0,
    rules: LanguageRules = LanguageRules(),
    files: Mapping[str, IssueFile] = {},
    results: ItemResults = NOTHING_KEPT,
) -> Issue:
    """Choose essays and the items that belong to them; raises `NothingNew` when there is no issue.

    `published` are slugs, `used` keys and canonical links of items of earlier issues. `file` is what
    editors wrote for this issue; which essays it names is decided before, their order and lengths here.
    So many essays are `withheld` by the files of issues. `files` are the words of its file by further language.
    `results` may keep what is found about the items.
    """
    from upcycle_news.curation.selection import select_candidates

    chosen = choose_essays(essays, published, id.day, _places(file))[: limits.essays]
    pins = file.pin if file else ()
    waiting = 0

    def select(told: Sequence[Essay], items: Sequence[FeedItem]) -> tuple[Related, ...]:
        nonlocal waiting
        decided = select_candidates(
            told,
            items,
            used,
            feeds,
            limits.selection,
            id.day,
            vocabulary,
            excluded,
            rejections,
            pins,
            results,
        )
        waiting = max(waiting, sum(_is_news(candidate) for candidate in decided))
        return tuple(
            replace(candidate.as_related(), story=excerpt_story(candidate.story, limits.excerpt))
            for candidate in decided
            if candidate.chosen
        )

    picked = {language: select(essays_in(chosen, language, rules), candidates)}
    if not chosen and not (limits.items_only and waiting):
        raise NothingNew(_nothing_new(id.day, essays, published, waiting, limits, withheld))
    for further in rules.further:
        picked[further] = (
            select(
                essays_in(chosen, further, rules),
                items_in(candidates, further, (*pins, *(pin for one in chosen for pin in one.pin))),
            )
            if rules.own_items
            else picked[language]
        )
    if not chosen and not any(picked.values()):
        raise NothingNew(_nothing_new(id.day, essays, published, 0, limits, withheld))
    return _in_languages(id, language, chosen, picked, file, overruled, rules, files)


def essays_in(chosen: Sequence[Essay], language: str, rules: LanguageRules) -> tuple[Essay, ...]:
    """Return the essays of an issue for readers of a language, each in it or else as it is."""
    told = []
    for essay in chosen:
        translation = essay.in_language(language)
        if translation is not None:
            told.append(replace(translation, length=essay.length, translations=()))
        elif not rules.leaves_out or rules.is_for_all(essay, language):
            told.append(replace(essay, translations=()))
    return tuple(told)


def items_in(
    candidates: Sequence[FeedItem], language: str, pins: Sequence[str]
) -> tuple[FeedItem, ...]:
    """Return the items in a language, and those that are pinned whatever their language."""
    from upcycle_news.curation.selection import is_pinned

    links = frozenset(map(canonical_link, pins))
    return tuple(
        item
        for item in candidates
        if base_language(item.language) == base_language(language) or is_pinned(item, links)
    )


def _in_languages(
    id: IssueId,
    language: str,
    chosen: tuple[Essay, ...],
    picked: Mapping[str, tuple[Related, ...]],
    file: IssueFile | None,
    overruled: tuple[str, ...],
    rules: LanguageRules,
    files: Mapping[str, IssueFile],
) -> Issue:
    """Return the issue with its translations; a language in which there is nothing to tell has none."""
    issues = [
        _issue(
            id,
            one,
            told,
            picked.get(one, ()),
            file if one == language else files.get(one),
            overruled,
        )
        for one in (language, *rules.further)
        if (told := essays_in(chosen, one, rules)) or (not chosen and picked.get(one))
    ]
    main, *others = issues
    translations = tuple(replace(one, folder=base_language(one.language)) for one in others)
    return replace(main, translations=translations)


def recompose(
    issue: Issue,
    *,
    language: str,
    essays: Sequence[Essay],
    published: Collection[str],
    limits: Limits,
    file: IssueFile | None = None,
    rules: LanguageRules = LanguageRules(),
    files: Mapping[str, IssueFile] = {},
) -> Issue:
    """Return an issue with its essays and its `file` as they are now, and the feed items that it has.

    No item is chosen. `essays` are those of the issue; raises `NothingNew` when none of them is
    ready any more and the issue may not consist of items only.
    """
    day = issue.id.day
    chosen = choose_essays(essays, published, day, _places(file))[: limits.essays]
    related = {base_language(one.language): one.related for one in issue.in_languages}
    if not chosen and not (limits.items_only and any(related.values())):
        raise NothingNew(_nothing_new(day, essays, published, len(issue.related), limits))
    picked = {
        one: related.get(base_language(one), issue.related) for one in (language, *rules.further)
    }
    return _in_languages(issue.id, language, chosen, picked, file, issue.overruled, rules, files)


def _issue(
    id: IssueId,
    language: str,
    chosen: tuple[Essay, ...],
    picked: tuple[Related, ...],
    file: IssueFile | None,
    overruled: tuple[str, ...],
) -> Issue:
    """Return the issue of these essays and items, or of these items alone, in the words of its file."""
    lead = picked[0].story.lead if picked else None
    written = file or IssueFile("")
    return Issue(
        id=id,
        language=language,
        subject=written.subject or (chosen[0].title if chosen or lead is None else lead.title),
        preheader=written.preheader
        or (chosen[0].summary if chosen or lead is None else lead.summary),
        essays=chosen,
        related=picked,
        topics=_topics(chosen, picked),
        greeting=written.greeting,
        file=file,
        overruled=overruled,
    )


def _places(file: IssueFile | None) -> Sequence[EssayPlace]:
    return file.essays if file else ()


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
    excluded: Collection[str] = (),
    rejections: Mapping[FeedItem, LocalizedText] | None = None,
    file: IssueFile | None = None,
    results: ItemResults = NOTHING_KEPT,
) -> tuple[Candidate, ...]:
    """Return every candidate of an issue of `day`, the best first, with the decision and its reason."""
    from upcycle_news.curation.selection import select_candidates

    chosen = choose_essays(essays, published, day, _places(file))[: limits.essays]
    decided = select_candidates(
        chosen,
        candidates,
        used,
        feeds,
        limits.selection,
        day,
        vocabulary,
        excluded,
        rejections,
        file.pin if file else (),
        results,
    )
    if chosen or limits.items_only:
        return decided
    return tuple(
        replace(candidate, why_not=candidate.why_not or localized("explain-no-essay"))
        for candidate in decided
    )


def _is_news(candidate: Candidate) -> bool:
    """Tell whether a candidate could go into an issue, chosen or not."""
    return candidate.chosen or candidate.score > 0


def choose_essays(
    essays: Sequence[Essay],
    published: Collection[str],
    day: date,
    places: Sequence[EssayPlace] = (),
) -> tuple[Essay, ...]:
    """Return the essays that are ready, due and not published yet; the newest leads.

    Those that `places` name come first, in that order and with that length.
    """
    order = {place.slug: number for number, place in enumerate(places)}
    lengths = {place.slug: place.length for place in places if place.length}
    due = (
        replace(essay, length=lengths[essay.slug]) if essay.slug in lengths else essay
        for essay in essays
        if essay.status == "ready" and essay.date <= day and essay.slug not in published
    )
    return tuple(
        sorted(
            due,
            key=lambda essay: (
                order.get(essay.slug, len(order)),
                -essay.date.toordinal(),
                essay.slug,
            ),
        )
    )


def excerpt_story(story: Story, length: int) -> Story:
    """Return a story with the titles and excerpts that are printed, template syntax neutralised.

    This is the only place that cuts a feed's texts: what a manifest holds is shown as it is.
    """
    return Story(
        tuple(
            replace(
                item,
                title=truncate(neutralise_braces(item.title), MAX_TITLE),
                summary=excerpt(
                    neutralise_braces(item.summary),
                    length,
                    max_sentences=max(length // SENTENCE, 1),
                ),
                # How a feed names and dates its item is no part of what is printed.
                guid="",
                date_reason="",
                own_language=False,
            )
            for item in story.items
        )
    )


def _topics(essays: Sequence[Essay], picked: Sequence[Related]) -> tuple[str, ...]:
    """Return the topics of the essays; without essays, those of the feed items."""
    if essays:
        return tuple(dict.fromkeys(topic for essay in essays for topic in essay.topics))
    return tuple(dict.fromkeys(topic for related in picked for topic in related.story.lead.topics))


def _nothing_new(
    day: date,
    essays: Sequence[Essay],
    published: Collection[str],
    fresh: int,
    limits: Limits,
    withheld: int = 0,
) -> LocalizedText:
    """Say which essays and items there are, and what to do to get an issue."""
    drafts = sum(essay.status == "draft" for essay in essays)
    later = sum(essay.status == "ready" and essay.date > day for essay in essays)
    known = sum(essay.status == "ready" and essay.slug in published for essay in essays)
    counts = [
        *([localized("nothing-new-published", count=known)] if known else []),
        *([localized("nothing-new-draft", count=drafts)] if drafts else []),
        *([localized("nothing-new-later", count=later)] if later else []),
        *([localized("nothing-new-withheld", count=withheld)] if withheld else []),
    ]
    items_only_would_do = bool(fresh) and not limits.items_only
    return localized(
        "nothing-new",
        day=day,
        counts=tuple(counts) or localized("nothing-new-none"),
        items=localized("nothing-new-items", count=fresh)
        if fresh
        else localized("nothing-new-no-items"),
        cure=localized("nothing-new-cure-items")
        if items_only_would_do
        else localized("nothing-new-cure"),
    )
