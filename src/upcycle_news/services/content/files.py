"""Loads essays, feeds.toml and the vocabulary of a publication from its content folder."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.content.essays import EssayCollection, read_essays
from upcycle_news.content.issue_files import IssueFiles, read_issue_files
from upcycle_news.curation.vocabulary import Vocabulary, load_vocabulary
from upcycle_news.errors import ContentError
from upcycle_news.feeds.feeds_toml import load_feeds
from upcycle_news.models import Essay, Feed
from upcycle_news.services.kept_results import kept_each, kept_json


@dataclass(frozen=True)
class KeptEssays:
    """Records of essays in var/checks (`KeptRecords`)."""

    context: AppContext

    def each(self, inputs: Any, values: Sequence[Any], make: Callable[[Any], Any]) -> Sequence[Any]:
        """Return what `make` returns, or returned before, for each value; it depends on `inputs`, too."""
        return kept_each(self.context, "essays", inputs, values, make)


def read_publication_essays(context: AppContext) -> EssayCollection:
    """Return the essays of the publication, and the errors of those that are broken.

    Only new and changed ones are parsed; the others are kept as they were read.
    """
    settings = context.settings
    return read_essays(
        context.content_folder, settings.home, settings.publication.language, KeptEssays(context)
    )


def load_publication_essays(context: AppContext) -> tuple[Essay, ...]:
    """Return every essay of the publication; raises `ContentError` that names all broken ones."""
    collection = read_publication_essays(context)
    if collection.errors:
        first, *more = collection.errors
        raise ContentError(first.where, first.line, first.text, more)
    return collection.essays


def load_issue_files(context: AppContext) -> IssueFiles:
    """Return the files of single issues in content/issues, and the errors of those that are broken."""
    publication = context.settings.publication
    return read_issue_files(
        context.content_folder, context.settings.home, publication.zone, publication.language
    )


def load_publication_feeds(context: AppContext) -> tuple[Feed, ...]:
    """Return the feeds that feeds.toml lists; raises `ContentError`."""
    return load_feeds(context.settings.home / context.settings.feeds.file, context.settings.home)


def load_publication_vocabulary(context: AppContext) -> Vocabulary:
    """Return the editors' vocabulary of concepts; raises `ContentError`."""
    return load_vocabulary(
        context.settings.home / context.settings.feeds.vocabulary,
        context.settings.home,
        lambda text, make: kept_json(context, "vocabulary", text, make),
    )


def line_of_head(context: AppContext, essay: Essay, key: str) -> int:
    """Return the line of a key in the front matter of an essay's file, as it is now; else 1."""
    return line_of_key(_content(context, essay), essay, key)


def line_of_key(content: str, essay: Essay, key: str) -> int:
    """Return the line of a key in the front matter of an essay's file, whose content this is; else 1."""
    head = "\n".join(content.split("\n")[: essay.body_line])
    found = re.search(rf"^[ \t]*[\"']?{re.escape(key)}[\"']?[ \t]*[:=]", head, re.MULTILINE)
    return head.count("\n", 0, found.start()) + 1 if found else 1


def line_containing(context: AppContext, essay: Essay, text: str) -> int:
    """Return the number of the line of an essay's file, as it is now, that holds `text`; else 1."""
    content = _content(context, essay)
    return content.count("\n", 0, max(content.find(text), 0)) + 1


def _content(context: AppContext, essay: Essay) -> str:
    try:
        return (context.settings.home / essay.source).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return ""
