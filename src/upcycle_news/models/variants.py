"""Variants of an issue: what a reader gets, by language and topics. Pure functions of an issue and a choice.

An issue is composed once, with all its feed items. A variant has its essays, and those of its items that
fit the topics of a reader. Choices that select the same items are one variant. The variant of readers
without a choice has everything, and is what everybody gets whose choice has no variant of its own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from upcycle_news.models.content import Issue, Related, base_of


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
    """The variants of a revision, and the topics and languages that readers may choose; fixed with the revision.

    The first one is that of readers without a choice in the issue's main language, and those in its
    other languages follow; a variant's place is its number, which deliveries keep. Without any, the issue
    has that one only. `languages` is empty where there is one only.
    """

    offered: tuple[str, ...] = ()
    all: tuple[Variant, ...] = ()
    languages: tuple[str, ...] = ()

    def __bool__(self) -> bool:
        """Return True if there is more than one."""
        return len(self.all) > 1

    def base_of(self, number: int) -> int:
        """Return the number of the variant with all items in the same language; 0 for itself."""
        everything = Variant(self.all[number].language)
        base = self.all.index(everything) if everything in self.all else 0
        return 0 if base == number else base


def language_for(issue: Issue, language: str, languages: Collection[str]) -> str | None:
    """Return in which language of an issue a reader gets it who chose this one; None: not at all.

    `languages` are those that readers may choose; another one is no choice, and gets the main one. None
    only where editors leave essays out that have no translation, and no essay is left.
    """
    if base_of(language) not in {base_of(one) for one in languages}:
        return issue.language
    chosen = issue.in_language(language)
    return chosen.language if chosen is not None else None


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

    Its language is one of the issue's (`language_for`). Topics that are not offered (any more) count as
    not chosen: nobody sees them on a page.
    """
    issue = issue.in_language(choice.language) or issue
    chosen = {topic.casefold() for topic in choice.topics} & {t.casefold() for t in offered}
    if not chosen:
        return Variant(choice.language)
    topics = [story_topics(issue, related, offered) for related in issue.related]
    others = [of for of in topics if of and not of & chosen]
    if not others:
        return Variant(choice.language)
    widest = frozenset().union(*topics).difference(*others)
    return Variant(choice.language, tuple(topic for topic in offered if topic.casefold() in widest))


def number_of(issue: Issue, variants: Variants, choice: Choice) -> int | None:
    """Return the number of the variant that a reader with this choice gets: the one rule of all.

    A choice without a variant of its own gets that of readers without a choice of topics in its language.
    None for readers whose language the issue does not have, as `language_for` decides: they get nothing.
    """
    language = language_for(issue, choice.language, variants.languages)
    if language is None:
        return None
    choice = replace(choice, language=language)
    for wanted in (variant_of(issue, choice, variants.offered), Variant(language)):
        if wanted in variants.all:
            return variants.all.index(wanted)
    return 0


def variants_for(
    issue: Issue,
    audience: Mapping[Choice, int],
    offered: Sequence[str],
    *,
    limit: int,
    languages: Sequence[str] = (),
) -> Variants:
    """Return the variants of an issue for the choices of its readers, each with how many made it.

    Each of the issue's languages has that of readers without a choice of topics. Above `limit` those of
    the others with the fewest readers are left out. Their order does not depend on the numbers.
    `languages` are those that readers may choose. An issue without essays is the same for all topics:
    without its items nothing would be left of it.
    """
    offered = offered if issue.essays else ()
    readers: dict[Variant, int] = {}
    for choice, count in audience.items():
        language = language_for(issue, choice.language, languages)
        if language is not None:
            wanted = variant_of(issue, replace(choice, language=language), offered)
            readers[wanted] = readers.get(wanted, 0) + count
    first = tuple(Variant(one.language) for one in issue.in_languages)
    others = sorted(
        (variant for variant in readers if variant not in first),
        key=lambda variant: (-readers[variant], variant.key),
    )
    kept = sorted(others[: max(limit - len(first), 0)], key=lambda variant: variant.key)
    several = tuple(languages) if len(languages) > 1 else ()
    if len(first) + len(kept) == 1:
        return Variants(languages=several)
    return Variants(tuple(offered), (*first, *kept), several)


def issue_of(issue: Issue, variants: Variants, number: int) -> Issue:
    """Return the contents of one variant: all essays in its language, and the items that fit."""
    if number == 0:
        return replace(issue, translations=())
    variant = variants.all[number]
    told = issue.in_language(variant.language)
    assert told is not None, "a variant in a language that the issue does not have"
    if variant.topics is None:
        return told
    return replace(told, related=tuple(fitting(told, variant.topics, variants.offered)))


def fitting(issue: Issue, topics: Iterable[str], offered: Collection[str]) -> tuple[Related, ...]:
    """Return the items of an issue that fit these topics; those without topics fit everybody."""
    chosen = {topic.casefold() for topic in topics}
    return tuple(
        related
        for related in issue.related
        if not (of := story_topics(issue, related, offered)) or of & chosen
    )
