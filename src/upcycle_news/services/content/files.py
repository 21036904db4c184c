"""Loads essays, feeds.toml and the vocabulary of a publication from its content folder."""

from __future__ import annotations

import re

from upcycle_news.app.context import AppContext
from upcycle_news.content.essays import read_essays
from upcycle_news.content.issue_files import IssueFiles, read_issue_files
from upcycle_news.curation.vocabulary import Vocabulary, load_vocabulary
from upcycle_news.errors import ContentError
from upcycle_news.feeds.feeds_toml import load_feeds
from upcycle_news.models import Essay, Feed


def load_publication_essays(context: AppContext) -> tuple[Essay, ...]:
    """Return every essay of the publication; raises `ContentError` that names all broken ones."""
    collection = read_essays(
        context.content_folder, context.settings.home, context.settings.publication.language
    )
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
        context.settings.home / context.settings.feeds.vocabulary, context.settings.home
    )


def line_of_head(context: AppContext, essay: Essay, key: str) -> int:
    """Return the line of a key in the front matter of an essay's file, as it is now; else 1."""
    head = "\n".join(_content(context, essay).split("\n")[: essay.body_line])
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
