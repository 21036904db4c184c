"""Essays, feeds.toml and the vocabulary as they lie in the content folder."""

from __future__ import annotations

from upcycle_news.app.context import AppContext
from upcycle_news.content.essays import read_essays
from upcycle_news.curation.vocabulary import Vocabulary, load_vocabulary
from upcycle_news.errors import ContentError
from upcycle_news.feeds.feeds_toml import load_feeds
from upcycle_news.models import (
    Essay,
    Feed,
)


def load_publication_essays(context: AppContext) -> tuple[Essay, ...]:
    """Every essay of the publication; raises `ContentError` naming all broken ones."""
    shelf = read_essays(
        context.content_folder, context.settings.home, context.settings.publication.language
    )
    if shelf.errors:
        first, *more = shelf.errors
        raise ContentError(first.where, first.line, first.text, more)
    return shelf.essays


def load_publication_feeds(context: AppContext) -> tuple[Feed, ...]:
    """The feeds the editors listed; raises `ContentError`."""
    return load_feeds(context.settings.home / context.settings.feeds.file, context.settings.home)


def load_publication_vocabulary(context: AppContext) -> Vocabulary:
    """The concepts of the field as the editors keep them; raises `ContentError`."""
    return load_vocabulary(
        context.settings.home / context.settings.feeds.vocabulary, context.settings.home
    )
