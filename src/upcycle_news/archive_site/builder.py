"""The archive: a static site of all issues that were sent, as files by their paths.

Bytes for values, no clock and no I/O: the same issues in the same look give the same files. They
come in the order in which they may be written, what is linked to before what links to it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from upcycle_news.archive_site.atom_sitemap import atom_feed, robots, sitemap
from upcycle_news.archive_site.pages import PageRenderer
from upcycle_news.archive_site.view_models import (
    ArchiveContext,
    Correction,
    GoneView,
    IssueEntry,
    SentIssue,
    SiteConfig,
    SiteViewModelBuilder,
    YearView,
)
from upcycle_news.models import Essay
from upcycle_news.models.archive_paths import (
    ARCHIVE,
    ESSAYS,
    FEED,
    HOME,
    MISSING,
    ROBOTS,
    SITEMAP,
    STYLE,
    essay_path,
    file_of,
    image_path,
    issue_path,
)

LATEST = 6
"""Issues that the first page shows."""


@dataclass(frozen=True)
class BuiltSite:
    """The files of the archive, and what they show."""

    files: Mapping[str, bytes]
    issues: int
    essays: int


def build_archive(sent: Sequence[SentIssue], config: SiteConfig) -> BuiltSite:
    """Make all files of the archive; `sent` in any order.

    Raises `TemplateError` for templates that do not work and `ContentError` for essays that cannot
    be shown.
    """
    ordered = sorted(sent, key=lambda one: one.manifest.issue.id)
    there = [one for one in ordered if one.gone is None]
    maker = _SiteBuilder(PageRenderer(config, has_feed=bool(there)), there)
    pages: dict[str, str] = {}
    for one in ordered:
        pages.update(maker.tombstones(one) if one.gone else maker.pages_of(one))
    pages.update(maker.lists())
    files = {file_of(path): html.encode() for path, html in pages.items()}
    last = {MISSING: maker.missing().encode(), ROBOTS: robots(config).encode()}
    if there:
        last[FEED] = atom_feed(there, config)
    if config.publication.site_url:
        last[SITEMAP] = sitemap(there, config).encode()
    first = {**maker.images, STYLE: maker.pages.style.encode()}
    count = sum(len(shown_essays(one)) for one in there)
    return BuiltSite({**first, **files, **last}, len(there), count)


def shown_essays(sent: SentIssue) -> tuple[Essay, ...]:
    """The essays of an issue that are still shown."""
    return tuple(one for one in sent.manifest.issue.essays if one.slug not in sent.withdrawn)


class _SiteBuilder:
    """Makes pages and collects the pictures they show. `there` are the issues shown, by date."""

    def __init__(self, pages: PageRenderer, there: Sequence[SentIssue]) -> None:
        self.pages, self.there = pages, there
        self.images: dict[str, bytes] = {}

    def pages_of(self, sent: SentIssue) -> Iterator[tuple[str, str]]:
        """An issue's page and those of its essays."""
        for essay in sent.manifest.issue.essays:
            if (withdrawn := sent.withdrawn.get(essay.slug)) is not None:
                yield self.tombstone(essay_path(essay.slug), withdrawn)
            else:
                yield essay_path(essay.slug), self.essay(sent, essay)
        path = issue_path(str(sent.manifest.issue.id))
        yield path, self.issue(sent)

    def essay(self, sent: SentIssue, essay: Essay) -> str:
        path = essay_path(essay.slug)
        builder = self.builder(sent, path, self.pages.page_language(essay.language))
        shown = self.pages.essay_view(sent, essay, builder, in_full=True)
        entry = self.pages.entry(sent, builder.links, builder.language)
        page = self.pages.essay_head(sent, essay, shown, builder)
        html = self.pages.write("essay", path, ArchiveContext(
            page=page, site=self.pages.site(path), publication=self.pages.publication,
            essay=shown, issue=entry,
        ))  # fmt: skip
        self.keep(builder)
        return html

    def issue(self, sent: SentIssue) -> str:
        issue = sent.manifest.issue
        path, language = issue_path(str(issue.id)), self.pages.page_language(issue.language)
        builder, essays = self.builder(sent, path, language), shown_essays(sent)
        at = self.there.index(sent)
        older = self.there[at - 1] if at else None
        newer = self.there[at + 1] if at + 1 < len(self.there) else None
        entry = self.pages.entry(sent, builder.links, language)
        html = self.pages.write("issue", path, ArchiveContext(
            page=self.pages.issue_head(sent, entry, essays[0] if essays else None, builder),
            site=self.pages.site(path), publication=self.pages.publication,
            issue=entry,
            lead=builder.lead(essays[0], in_full=True) if essays else None,
            corrections=self.pages.corrections(sent, essays[0], builder) if essays else (),
            teasers=tuple(map(builder.teaser, essays[1:])),
            related=tuple(map(builder.story, issue.related)),
            older=self.pages.entry(older, builder.links, language) if older else None,
            newer=self.pages.entry(newer, builder.links, language) if newer else None,
        ))  # fmt: skip
        self.keep(builder)
        return html

    def tombstones(self, sent: SentIssue) -> Iterator[tuple[str, str]]:
        """What a link of a mail finds where a whole issue was."""
        assert sent.gone is not None
        for essay in sent.manifest.issue.essays:
            yield self.tombstone(essay_path(essay.slug), sent.gone)
        yield self.tombstone(issue_path(str(sent.manifest.issue.id)), sent.gone)

    def tombstone(self, path: str, withdrawn: Correction) -> tuple[str, str]:
        """A page that says that something was here; it names nothing of it."""
        language = self.pages.language
        words = self.pages.words(language)
        page = replace(self.pages.head(path, "gone", language, words("gone_title")), indexed=False)
        return path, self.pages.write("gone", path, ArchiveContext(
            page=page, site=self.pages.site(path), publication=self.pages.publication,
            gone=GoneView(words.long_date(withdrawn.day), withdrawn.note),
        ))  # fmt: skip

    def lists(self) -> Iterator[tuple[str, str]]:
        """The pages that lead to all others."""
        for path, view in ((ESSAYS, "essays"), (ARCHIVE, "archive"), (HOME, "home")):
            language = self.pages.language
            words, links = self.pages.words(language), self.pages.links(path)
            title = {"archive": words("all_issues"), "essays": words("all_essays")}.get(view)
            entries = [self.pages.entry(one, links, language) for one in reversed(self.there)]
            page = self.pages.head(path, view, language, title or self.pages.publication.name)
            yield path, self.pages.write(view, path, ArchiveContext(
                page=page, site=self.pages.site(path), publication=self.pages.publication,
                years=_by_year(entries) if view != "home" else (),
                latest=tuple(entries[:LATEST]) if view == "home" else (),
            ))  # fmt: skip

    def missing(self) -> str:
        """For hosts that show a page of ours where there is none."""
        language = self.pages.language
        title = self.pages.words(language)("page_missing_title")
        page = replace(self.pages.head(MISSING, "missing", language, title), indexed=False)
        page = replace(page, canonical="")
        return self.pages.write("missing", MISSING, ArchiveContext(
            page=page, site=self.pages.site(MISSING), publication=self.pages.publication,
        ))  # fmt: skip

    def builder(self, sent: SentIssue, path: str, language: str) -> SiteViewModelBuilder:
        words = self.pages.words(language)
        return SiteViewModelBuilder(sent.manifest, words, self.pages.links(path), language=language)

    def keep(self, builder: SiteViewModelBuilder) -> None:
        """Publish the pictures that a page shows."""
        self.images |= {image_path(image): image.data for image in builder.images.values()}


def _by_year(entries: Sequence[IssueEntry]) -> tuple[YearView, ...]:
    """The newest year first; an issue's essays belong to the year in which it was sent."""
    return tuple(
        YearView(number, issues, tuple(essay for issue in issues for essay in issue.essays))
        for number, found in groupby(entries, key=lambda one: int(one.day[:4]))
        if (issues := tuple(found))
    )
