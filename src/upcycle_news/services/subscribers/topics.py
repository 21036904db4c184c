"""What readers choose from: which topics are offered and how each is called, and whether there is a digest."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from upcycle_news.app.context import AppContext
from upcycle_news.models.digest import DigestInterval, Rhythm


def topic_labels(context: AppContext, language: str) -> Mapping[str, str]:
    """Return the topics that the publication offers, in their order, each with its label."""
    offered = context.settings.audience.topics
    return {topic: context.publication.topic_label(topic, language) for topic in offered}


def offered_of(context: AppContext, chosen: Collection[str]) -> tuple[str, ...]:
    """Return those of the chosen topics that the publication offers, in the order of the offer."""
    return tuple(topic for topic in context.settings.audience.topics if topic in chosen)


def digest_interval(context: AppContext) -> DigestInterval | None:
    """Return how much time a digest tells; None where none is offered."""
    return context.settings.digest.interval or None


def offered_rhythm(context: AppContext, chosen: Rhythm | None) -> Rhythm | None:
    """Return the chosen rhythm where readers may choose one."""
    return chosen if digest_interval(context) is not None else None
