"""Put issues that were sent together into a digest: pure functions, the same issues give the same digest."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

from upcycle_news.models import Essay, Issue, IssueId, Related
from upcycle_news.text.typography import base_language

MAX_ESSAYS = 32
"""Essays of a digest: with more, programs would clip the mail. Another digest has the others."""

PICTURES, SUMMARIES = 6, 12
"""So many essays of a digest have their picture and their summary; of the others it has title and author."""


def told_together(issues: Sequence[Issue]) -> tuple[Issue, ...]:
    """Return the oldest of these issues whose essays fit into one digest, at least one; newest first."""
    together, essays = list[Issue](), 0
    for issue in sorted(issues, key=lambda one: one.id):
        essays += len(issue.all_essays)
        if together and essays > MAX_ESSAYS:
            break
        together.insert(0, issue)
    return tuple(together)


def compose_digest(
    digest: IssueId,
    told: Sequence[Issue],
    languages: Sequence[str],
    *,
    items: int,
    leaves_out: bool = False,
    excluded: Collection[str] = (),
) -> Issue | None:
    """Return a digest of issues, the newest first, in these languages; None when there is nothing to tell.

    It has no words of its own yet: subject, preheader and greeting are empty. Of the feed items it has so many
    `items` at the most, and none with an `excluded` key or canonical link. An issue that has no language of
    its own for a reader is told as it is; with `leaves_out` it is not. The first language that has
    anything is the main one.
    """
    found = []
    for language in languages:
        parts = [
            part
            for issue in told
            if (part := issue.in_language(language) or (None if leaves_out else issue)) is not None
        ]
        essays = tuple(_essays(parts))
        related = tuple(_items(parts, {essay.slug for essay in essays}, items, excluded))
        if essays or related:
            found.append(_issue(digest, language, essays, related))
    if not found:
        return None
    main, *others = found
    translations = (replace(one, folder=base_language(one.language)) for one in others)
    return replace(
        main, digest_of=tuple(str(one.id) for one in told), translations=tuple(translations)
    )


def _issue(
    digest: IssueId, language: str, essays: tuple[Essay, ...], related: tuple[Related, ...]
) -> Issue:
    topics = [topic for essay in essays for topic in essay.topics]
    if not essays:
        topics = [topic for one in related for topic in one.story.lead.topics]
    return Issue(
        id=digest,
        language=language,
        subject="",
        preheader="",
        essays=essays,
        related=related,
        topics=tuple(dict.fromkeys(topics)),
    )


def _essays(parts: Sequence[Issue]) -> Iterator[Essay]:
    """Yield the essays of issues, each once. The first one leads, by the publication's length."""
    essays = {essay.slug: essay for issue in reversed(parts) for essay in reversed(issue.essays)}
    for number, essay in enumerate(reversed(essays.values())):
        yield replace(
            essay,
            length=None,
            image=essay.image if number < PICTURES else None,
            summary=essay.summary if number < SUMMARIES else "",
        )


def _items(
    parts: Sequence[Issue], essays: Collection[str], limit: int, excluded: Collection[str]
) -> Iterator[Related]:
    """Yield the items of a digest: of each issue the first one, then the second ones, up to a limit.

    They stand in the order of the issues. Items of essays that are not told any more are left out.
    """
    taken, seen = list[tuple[int, int, Related]](), set[str](excluded)
    rounds = zip_longest(*([*enumerate(issue.related)] for issue in parts))
    for number, place, related in (
        (number, *pair) for row in rounds for number, pair in enumerate(row) if pair is not None
    ):
        if related.essay and related.essay not in essays:
            continue
        names = {name for item in related.story.items for name in (item.key, item.canonical)}
        if len(taken) < limit and not names & seen:
            seen |= names
            taken.append((number, place, related))
    yield from (related for *_, related in sorted(taken, key=lambda one: one[:2]))
