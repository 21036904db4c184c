"""Findings about topics: names that nobody can choose, and labels that readers of a language lack."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from upcycle_news.fileio import did_you_mean
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Finding, Publication


def check_topics(topics: Sequence[str], known: Sequence[str], where: str) -> Iterator[Finding]:
    """Yield a warning for each topic that is none of the `known` ones; without any, all are right.

    `known` are those that readers may choose and those that have labels.
    """
    names = {name.casefold() for name in known}
    for topic in topics:
        if names and topic.casefold() not in names:
            text = localized("topic-unknown", topic=topic[:60], hint=did_you_mean(topic, known))
            yield Finding("warning", "topic-unknown", where, text)


def check_labels(
    offered: Sequence[str], publication: Publication, where: Callable[[str], str]
) -> Iterator[Finding]:
    """Yield a warning for each offered topic without a label in one of several languages.

    `where` returns the place of a topic in the settings.
    """
    labelled = {(language, name.casefold()) for language, name, _ in publication.topic_labels}
    if len(publication.languages) < 2:
        return
    for topic in offered:
        missing = [
            language
            for language in publication.languages
            if (language, topic.casefold()) not in labelled
        ]
        if missing:
            text = localized("topic-label", topic=topic, languages=tuple(missing))
            yield Finding("warning", "topic-label", where(topic), text)
