"""Variants of an issue: what a reader gets, by language and topics. Pure functions of an issue and a choice.

An issue is composed once, with all its feed items. A variant has its essays, and those of its items that
fit the topics of a reader. Choices that select the same items are one variant. The variant of readers
without a choice has everything, and is what everybody gets whose choice has no variant of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from upcycle_news.models.content import Issue, Related


@dataclass(frozen=True, order=True)
class Choice:
    """What a subscriber chose: a language, and topics as they are stored; no topics: all."""

    language: str
    topics: tuple[str, ...] = ()


@dataclass(frozen=True)
class Variant:
    """One of an issue's renderings. `topics` is None for readers without a choice.

    Else these are all topics that a reader may choose without getting another item: so choices that
    select the same items are equal. Without any topic none of the items is in it.
    """

    language: str
    topics: tuple[str, ...] | None = None

    @property
    def key(self) -> str:
        """What commands and pages call it: ``de``, ``de:bauen+energie``, and ``de:-`` without any item."""
        if self.topics is None:
            return self.language
        return f"{self.language}:{'+'.join(self.topics).casefold() or '-'}"


@dataclass(frozen=True)
class Variants:
    """The variants of a revision and the topics that readers may choose; fixed with the revision.

    The first one is that of readers without a choice in the publication's language; a variant's place is
    its number, which deliveries keep. Without any, the issue has that one only.
    """

    offered: tuple[str, ...] = ()
    all: tuple[Variant, ...] = ()

    def __bool__(self) -> bool:
        """Return True if there is more than one."""
        return len(self.all) > 1


def story_topics(issue: Issue, related: Related, offered: Collection[str]) -> frozenset[str]:
    """Return the topics by which readers choose a story, case folded; none: it is for everybody.

    They are those of the feeds that tell it. Where these have none that readers can choose, they are those
    of the essay that the story belongs to.
    """
    choosable = {topic.casefold() for topic in offered}
    of_feeds = {topic.casefold() for item in related.story.items for topic in item.topics}
    of_essay = {
        topic.casefold()
        for essay in issue.essays
        if essay.slug == related.essay
        for topic in essay.topics
    }
    return frozenset(of_feeds & choosable or of_essay & choosable)


def variant_of(issue: Issue, choice: Choice, offered: Sequence[str]) -> Variant:
    """Return the variant that a choice asks for, whether the issue has it or not.

    Topics that are not offered (any more) count as not chosen: nobody sees them on a page.
    """
    chosen = {topic.casefold() for topic in choice.topics} & {t.casefold() for t in offered}
    if not chosen:
        return Variant(choice.language)
    topics = [story_topics(issue, related, offered) for related in issue.related]
    others = [of for of in topics if of and not of & chosen]
    if not others:
        return Variant(choice.language)
    widest = frozenset().union(*topics).difference(*others)
    return Variant(choice.language, tuple(topic for topic in offered if topic.casefold() in widest))


def number_of(issue: Issue, variants: Variants, choice: Choice) -> int:
    """Return the number of the variant that a reader with this choice gets: the one rule of all.

    A choice without a variant of its own gets that of readers without a choice.
    """
    if not variants:
        return 0
    for wanted in (variant_of(issue, choice, variants.offered), Variant(choice.language)):
        if wanted in variants.all:
            return variants.all.index(wanted)
    return 0


def variants_for(
    issue: Issue, audience: Mapping[Choice, int], offered: Sequence[str], *, limit: int
) -> Variants:
    """Return the variants of an issue for the choices of its readers, each with how many made it.

    Above `limit` those with the fewest readers are left out. Their order does not depend on the numbers.
    """
    readers: dict[Variant, int] = {}
    for choice, count in audience.items():
        wanted = variant_of(issue, choice, offered)
        # A language without a translation is the issue's.
        wanted = replace(wanted, language=issue.language)
        readers[wanted] = readers.get(wanted, 0) + count
    first = Variant(issue.language)
    others = sorted(
        (variant for variant in readers if variant != first),
        key=lambda variant: (-readers[variant], variant.key),
    )
    kept = sorted(others[: max(limit - 1, 0)], key=lambda variant: variant.key)
    return Variants(tuple(offered), (first, *kept)) if kept else Variants()


def issue_of(issue: Issue, variants: Variants, number: int) -> Issue:
    """Return the contents of one variant: all essays, and the items that fit."""
    if number == 0:
        return issue
    variant = variants.all[number]
    if variant.topics is None:
        return issue
    return replace(issue, related=tuple(fitting(issue, variant.topics, variants.offered)))


def fitting(issue: Issue, topics: Iterable[str], offered: Collection[str]) -> tuple[Related, ...]:
    """Return the items of an issue that fit these topics; those without topics fit everybody."""
    chosen = {topic.casefold() for topic in topics}
    return tuple(
        related
        for related in issue.related
        if not (of := story_topics(issue, related, offered)) or of & chosen
    )
