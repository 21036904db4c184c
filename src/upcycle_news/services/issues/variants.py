"""The variants of a revision: who gets which, what commands call them, and what a reader got and why."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import (
    Choice,
    Issue,
    IssueId,
    Manifest,
    Related,
    Variant,
    Variants,
)
from upcycle_news.models.language_names import language_name
from upcycle_news.models.variants import (
    issue_of,
    language_for,
    number_of,
    story_topics,
    variant_of,
)
from upcycle_news.rendering.preview_page import VariantLink
from upcycle_news.services.issues.revisions import find_revision, newest_revision
from upcycle_news.storage import deliveries, issues, rhythms, subscribers
from upcycle_news.storage.audience import count_choices, count_left_for_digest, may_receive, wants
from upcycle_news.storage.revisions import Revision


@dataclass(frozen=True)
class VariantReaders:
    """A variant, how many of the issue's items it has, and how many readers get it."""

    number: int
    variant: Variant
    items: int
    readers: int

    def as_dict(self) -> dict[str, Any]:
        """Return the JSON object of `issue preview`."""
        return {
            "number": self.number,
            **variant_fields(self.variant),
            "items": self.items,
            "readers": self.readers,
        }


def variant_fields(variant: Variant) -> dict[str, Any]:
    """Return what JSON says of a variant: `topics` is null for readers without a choice."""
    topics = None if variant.topics is None else list(variant.topics)
    return {"variant": variant.key, "language": variant.language, "topics": topics}


@dataclass(frozen=True)
class Readership:
    """Who gets a revision, or has it in the queue. `variants` are all of it, at least one.

    `others`: so many get a variant without a choice of topics because their own choice has none.
    `without` counts by language those who get nothing, since the issue has nothing in it; `left_for_digest`
    get it in the digest of `digest_day`, which is None where nobody can have chosen one; None: nobody knows how many.
    """

    variants: tuple[VariantReaders, ...]
    others: int = 0
    without: Mapping[str, int] = field(default_factory=dict)
    left_for_digest: int | None = 0
    digest_day: date | None = None

    @property
    def audience(self) -> int:
        """The number of readers who get the issue."""
        return sum(variant.readers for variant in self.variants)


def readership(context: AppContext, revision: Revision) -> Readership:
    """Return who would get a revision now; of one that is queued, who gets it."""
    manifest = revision.manifest
    row = issues.get(context.store, revision.issue)
    if row is not None and row.frozen and row.revision_id == revision.revision_id:
        sums = issues.variant_sums(context.store, revision.issue)
        queued = {one.number: one.audience for one in sums} or {0: row.audience}
        status = issues.status(context.store, revision.issue)
        assert status is not None, "a row without a status"
        return Readership(
            _readers(manifest, queued),
            without=status.without,
            left_for_digest=status.left_for_digest,
            digest_day=status.digest_day,
        )
    topics, interval = manifest.publication.readers_of, context.settings.digest.interval or None
    choices = count_choices(context.store, topics, issue=revision.issue, interval=interval)
    left, period = count_left_for_digest(context.store, topics, revision.issue, interval)
    return replace(
        _expected(manifest, choices),
        left_for_digest=left,
        digest_day=period.end if period is not None else None,
    )


def _expected(manifest: Manifest, choices: Mapping[Choice, int]) -> Readership:
    """Return who gets a revision of readers with these choices."""
    issue, variants = manifest.issue, manifest.variants
    readers: dict[int, int] = {}
    without: dict[str, int] = {}
    others = 0
    for choice, count in choices.items():
        number = number_of(issue, variants, choice)
        if number is None:
            without[choice.language] = without.get(choice.language, 0) + count
            continue
        readers[number] = readers.get(number, 0) + count
        language = language_for(issue, choice.language, variants.languages)
        if variants and language is not None:
            own = variant_of(issue, Choice(language, choice.topics), variants.offered)
            others += 0 if own == variants.all[number] else count
    return Readership(_readers(manifest, readers), others, without)


def _readers(manifest: Manifest, readers: Mapping[int, int]) -> tuple[VariantReaders, ...]:
    issue, variants = manifest.issue, manifest.variants
    every = variants.all or (Variant(issue.language),)
    return tuple(
        VariantReaders(
            number,
            variant,
            len(issue_of(issue, variants, number).related),
            readers.get(number, 0),
        )
        for number, variant in enumerate(every)
    )


def find_variant(issue: IssueId, variants: Variants, wanted: str) -> int:
    """Return the number of the variant with this number or key; raises `IssueError` for another one.

    The topics of a key may be in any order, in upper or lower case.
    """
    keys = [variant.key for variant in variants.all] or ["0"]
    same = [_in_any_order(key) for key in keys]
    if _in_any_order(wanted) in same:
        return same.index(_in_any_order(wanted))
    if wanted.isdecimal() and int(wanted) < max(len(keys), 1):
        return int(wanted)
    known = ", ".join(keys[:12]) or "0"
    raise IssueError(localized("variant-unknown", issue=str(issue), wanted=wanted, known=known))


def _in_any_order(key: str) -> tuple[str, tuple[str, ...]]:
    """Return a variant's key so that the order of its topics and their case do not matter."""
    language, _, topics = key.strip().casefold().partition(":")
    return language, tuple(sorted(topic.strip() for topic in topics.split("+")))


def variant_links(
    context: AppContext,
    everybody: Readership,
    shown: int,
    address_of: Callable[[VariantReaders], str],
) -> tuple[VariantLink, ...]:
    """Return the variants of a revision for its preview page, most readers first; none for one alone."""
    if len(everybody.variants) == 1:
        return ()
    several = len({one.variant.language for one in everybody.variants}) > 1
    ordered = sorted(everybody.variants, key=lambda one: (-one.readers, one.number))
    return tuple(
        VariantLink(
            variant_label(context, one.variant, languages=several),
            one.items,
            one.readers,
            "" if one.number == shown else address_of(one),
            one.number == shown,
        )
        for one in ordered
    )


def variant_label(context: AppContext, variant: Variant, *, languages: bool) -> LocalizedText:
    """Return a variant in words for editors; with `languages` its language, too."""
    if variant.topics is None:
        chosen = localized("variant-all")
    elif not variant.topics:
        chosen = localized("variant-none")
    else:
        names = (context.publication.topic_label(one, context.language) for one in variant.topics)
        chosen = localized("variant-topics", topics=", ".join(names))
    if not languages:
        return chosen
    return localized("variant-in-language", language=variant.language, chosen=chosen)


# --- one reader


@dataclass(frozen=True)
class ItemDecision:
    """Whether a reader gets an item of an issue, and why."""

    related: Related
    gets: bool
    why: LocalizedText

    def as_dict(self, language: str) -> dict[str, Any]:
        """Return the JSON object of `issue explain --subscriber`."""
        lead = self.related.story.lead
        return {
            "item": lead.link,
            "title": lead.title,
            "gets": self.gets,
            "why": self.why.in_language(language),
        }


@dataclass(frozen=True)
class ReaderExplanation:
    """What a subscriber gets of an issue, or got. `number` is None when they get nothing.

    `why` says by which choice, and whether it is what was queued.
    """

    issue: IssueId
    subscriber: int
    number: int | None
    variant: str
    why: LocalizedText
    items: tuple[ItemDecision, ...] = ()

    def text(self) -> LocalizedText:
        """Return which variant they get and why, as a sentence."""
        subscriber, issue = self.subscriber, str(self.issue)
        if self.number is None:
            return localized(
                "reader-gets-nothing", subscriber=subscriber, issue=issue, why=self.why
            )
        return localized(
            "reader-gets", subscriber=subscriber, issue=issue, variant=self.variant, why=self.why
        )

    def as_dict(self, language: str) -> dict[str, Any]:
        """Return the JSON object of `issue explain --subscriber`."""
        return {
            "issue": str(self.issue),
            "subscriber": self.subscriber,
            "number": self.number,
            "variant": self.variant or None,
            "why": self.why.in_language(language),
            "items": [item.as_dict(language) for item in self.items],
        }


def explain_reader(context: AppContext, issue_id: IssueId, number: int) -> ReaderExplanation:
    """Return why a subscriber gets, or got, which items of an issue's newest or queued revision.

    Raises `IssueError` when there is no revision, or no such subscriber.
    """
    row = issues.get(context.store, issue_id)
    frozen = row is not None and bool(row.revision_id)
    revision = (
        find_revision(context, issue_id, row.revision_id)
        if row is not None and frozen
        else newest_revision(context, issue_id)
    )
    manifest = revision.manifest
    reader = subscribers.by_id(context.store, number)
    queued = deliveries.variant_of(context.store, issue_id, number) if frozen else None
    if queued is not None:
        return _explanation(manifest, number, queued, localized("reader-queued"))
    if reader is None:
        raise IssueError(localized("reader-unknown", subscriber=number))
    if frozen:
        why = _digest_instead(context, issue_id, number) or localized("reader-not-queued")
        return ReaderExplanation(issue_id, number, None, "", why)
    if not may_receive(context.store, number, issue_id, context.settings.digest.interval or None):
        why = _digest_instead(context, issue_id, number) or localized("reader-no-mail")
        return ReaderExplanation(issue_id, number, None, "", why)
    topics = manifest.publication.readers_of
    if topics and not wants(reader.topics, topics):
        why = localized("reader-other-topics", topics=", ".join(topics))
        return ReaderExplanation(issue_id, number, None, "", why)
    choice = Choice(reader.language, reader.topics)
    chosen = number_of(manifest.issue, manifest.variants, choice)
    if chosen is None:
        why = localized("reader-no-language", language=language_name(reader.language))
        return ReaderExplanation(issue_id, number, None, "", why)
    words = ", ".join(reader.topics) or localized("reader-no-topics")
    why = localized("reader-chose", language=language_name(reader.language), topics=words)
    own = variant_of(manifest.issue, choice, manifest.variants.offered)
    if manifest.variants and own.topics != manifest.variants.all[chosen].topics:
        why = localized("reader-without-variant", chose=why)
    return _explanation(manifest, number, chosen, why)


def _digest_instead(context: AppContext, issue: IssueId, number: int) -> LocalizedText | None:
    """Return that a reader gets an issue in a digest, and of which day; None for any other."""
    interval = context.settings.digest.interval or None
    period = rhythms.period_on(context.store, issue.day, interval) if issue.is_regular else None
    if period is not None and may_receive(context.store, number, IssueId(period.end, digest=1)):
        return localized("reader-digest", day=period.end)
    return None


def _explanation(
    manifest: Manifest, subscriber: int, number: int, why: LocalizedText
) -> ReaderExplanation:
    issue, variants = manifest.issue, manifest.variants
    variant = variants.all[number] if variants else Variant(issue.language)
    everything = issue.in_language(variant.language) or issue
    got = issue_of(issue, variants, number).related
    items = tuple(
        ItemDecision(related, related in got, _why(everything, related, variants, variant))
        for related in everything.related
    )
    return ReaderExplanation(issue.id, subscriber, number, variant.key, why, items)


def _why(issue: Issue, related: Related, variants: Variants, variant: Variant) -> LocalizedText:
    """Return why an item is in a variant or not."""
    if variant.topics is None:
        return localized("item-for-all-choices")
    topics = story_topics(issue, related, variants.offered)
    if not topics:
        return localized("item-without-topics")
    names = ", ".join(topic for topic in variants.offered if topic.casefold() in topics)
    shared = topics & {topic.casefold() for topic in variant.topics}
    if shared:
        return localized("item-fits", topics=names)
    return localized("item-does-not-fit", topics=names)
