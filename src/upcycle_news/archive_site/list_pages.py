"""The pages that list issues: the first one, all issues, all essays, and the one for missing pages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

from upcycle_news.archive_site.pages import PageRenderer
from upcycle_news.archive_site.view_models import (
    ArchiveContext,
    IssueEntry,
    YearView,
    linked_entry,
)
from upcycle_news.models.archive_paths import ARCHIVE, ESSAYS, HOME, MISSING, in_folder

LATEST = 6
"""Issues that the first page shows."""

NEWEST_ON_404 = 3
"""Issues that the page for missing ones shows."""


def list_pages(
    pages: PageRenderer, listed: Sequence[IssueEntry], languages: Mapping[str, str]
) -> Iterator[tuple[str, str]]:
    """Yield path and HTML of the pages that link to all others.

    `listed` are the issues by date, with paths for addresses; `languages` the folders of all languages.
    """
    language = pages.language
    strings = pages.strings(language)
    for page_path, view in ((ESSAYS, "essays"), (ARCHIVE, "archive"), (HOME, "home")):
        path = in_folder(page_path, pages.folder)
        links = pages.links(path)
        title = {"archive": strings("all_issues"), "essays": strings("all_essays")}.get(view)
        newest = listed[-LATEST:] if view == "home" else listed
        entries = [linked_entry(entry, links) for entry in reversed(newest)]
        page = pages.head(path, view, language, title or pages.publication.name)
        page = replace(page, alternates=pages.alternates(page_path, languages))
        yield path, pages.render(view, ArchiveContext(
            page=page, site=pages.site(path), publication=pages.publication,
            years=_by_year(entries) if view != "home" else (),
            latest=tuple(entries) if view == "home" else (),
        ))  # fmt: skip


def missing_page(pages: PageRenderer, listed: Sequence[IssueEntry]) -> str:
    """Return the HTML of 404.html, for hosts that show it for missing pages."""
    language = pages.language
    title = pages.strings(language)("page_missing_title")
    page = replace(pages.head(MISSING, "missing", language, title), indexed=False)
    page = replace(page, canonical="", image="")
    links = pages.links(MISSING)
    newest = [linked_entry(entry, links) for entry in reversed(listed[-NEWEST_ON_404:])]
    return pages.render("missing", ArchiveContext(
        page=page, site=pages.site(MISSING), publication=pages.publication,
        latest=tuple(newest),
    ))  # fmt: skip


def _by_year(entries: Sequence[IssueEntry]) -> tuple[YearView, ...]:
    """Group entries by year, the newest first; essays belong to the year of their issue."""
    return tuple(
        YearView(number, issues, tuple(essay for issue in issues for essay in issue.essays))
        for number, group in groupby(entries, key=lambda entry: int(entry.day[:4]))
        if (issues := tuple(group))
    )
