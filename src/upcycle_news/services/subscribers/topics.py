"""The topics that readers choose from: which are offered, and how each is called."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from upcycle_news.app.context import AppContext


def topic_labels(context: AppContext, language: str) -> Mapping[str, str]:
    """Return the topics that the publication offers, in their order, each with its label."""
    offered = context.settings.audience.topics
    return {topic: context.publication.topic_label(topic, language) for topic in offered}


def offered_of(context: AppContext, chosen: Collection[str]) -> tuple[str, ...]:
    """Return those of the chosen topics that the publication offers, in the order of the offer."""
    return tuple(topic for topic in context.settings.audience.topics if topic in chosen)
