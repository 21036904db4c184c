"""Builds the archive: a static site of all issues that were sent, as files by their paths.

A pure function, without clock and I/O: equal issues and configuration give equal files. Files come
in the order in which they may be written: a page after the pages it links to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from upcycle_news.archive_site.atom_sitemap import atom_feed, robots, sitemap
from upcycle_news.archive_site.calendar_files import calendar_files
from upcycle_news.archive_site.icons import DRAWN, drawn_icon, has_own_icon
from upcycle_news.archive_site.pages import PageRenderer
from upcycle_news.archive_site.search_index import (
    SearchDocument,
    essay_document,
    issue_document,
    search_files,
    search_scripts,
)
from upcycle_news.archive_site.view_models import (
    AlternateView,
    ArchiveContext,
    EditorNote,
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
    in_folder,
    issue_path,
    revision_path,
)
from upcycle_news.rendering.question import question_view

LATEST = 6
"""Issues that the first page shows."""

NEWEST_ON_404 = 3
"""Issues that the page for missing ones shows."""


@dataclass(frozen=True)
class BuiltSite:
    """The files of the archive by path, and the numbers of issues and essays they show."""

    files: Mapping[str, bytes]
    issues: int
    essays: int


def build_archive(sent: Sequence[SentIssue], config: SiteConfig) -> BuiltSite:
    """Return all files of the archive; `sent` in any order.

    Raises `TemplateError` for templates that do not work and `ContentError` for essays that cannot
    be shown.
    """
    ordered = sorted(sent, key=lambda issue: issue.manifest.issue.id)
    languages = _site_languages(ordered, config)
    main, *others = (_built_language(ordered, config, one, languages) for one in languages)
    first: dict[str, bytes] = {}
    pages: dict[str, bytes] = {}
    last: dict[str, bytes] = {}
    for built in (*others, main):  # what is in both is the main one's
        first |= built.first
        pages |= built.pages
        last |= built.last
    builder, shown = main.builder, main.builder.shown
    first |= {**builder.pages.logo_files(), STYLE: builder.pages.style.encode()}
    first |= _revisions(ordered)
    last |= {MISSING: builder.missing().encode(), ROBOTS: robots(config).encode()}
    if config.publication.site_url:
        everything = [issue for issue in ordered if issue.withdrawal is None]
        last[SITEMAP] = sitemap(everything, config, languages).encode()
    if not has_own_icon(config.static):
        first[DRAWN] = drawn_icon(config.publication.name, builder.pages.theme)
    first |= config.static
    count = sum(len(shown_essays(issue)) for issue in shown)
    return BuiltSite({**first, **pages, **last}, len(shown), count)


def _site_languages(ordered: Sequence[SentIssue], config: SiteConfig) -> Mapping[str, str]:
    """Return the folders of the archive by language, the main one first, which has none.

    Those of languages that are not offered any more stay: mails link to them.
    """
    own, *further = config.publication.languages
    used = (issue.folder for sent in ordered for issue in sent.manifest.issue.translations)
    return {own: "", **{folder: folder for folder in (*further, *used) if folder != own}}


@dataclass(frozen=True)
class _BuiltLanguage:
    """The files of one language's pages: what they load, the pages with their search, and the feed."""

    builder: _SiteBuilder
    first: Mapping[str, bytes]
    pages: Mapping[str, bytes]
    last: Mapping[str, bytes]


def _built_language(
    ordered: Sequence[SentIssue], config: SiteConfig, language: str, languages: Mapping[str, str]
) -> _BuiltLanguage:
    """Return the files of the pages in one of the `languages`, in whose folder all but shared ones stand."""
    folder = languages[language]
    told = [
        replace(sent, manifest=sent.manifest.of(issue), whole=sent.manifest.issue)
        for sent in ordered
        for issue in sent.manifest.issue.in_languages
        if issue.folder == folder
    ]
    if folder:
        feed_id = f"{config.feed_id}/{folder}" if config.feed_id else ""
        publication = config.publication.in_language(language)
        config = replace(
            config, publication=replace(publication, language=language), feed_id=feed_id
        )
    shown = [issue for issue in told if issue.withdrawal is None]
    pages_of = PageRenderer(config, has_feed=bool(shown), folder=folder)
    builder = _SiteBuilder(pages_of, shown, languages)
    pages: dict[str, str] = {}
    for issue in told:
        pages.update(builder.tombstones(issue) if issue.withdrawal else builder.issue_pages(issue))
    pages.update(builder.list_pages())
    files = {file_of(path): html.encode() for path, html in pages.items()}
    files = {**builder.calendars, **files}
    first, last = {**builder.images}, {}
    if shown:
        first |= {in_folder(path, folder): data for path, data in search_scripts().items()}
        found = search_files(builder.documents, config.german_words)
        files |= {in_folder(path, folder): data for path, data in found.items()}
        last[in_folder(FEED, folder)] = atom_feed(shown, config, folder)
    return _BuiltLanguage(builder, first, files, last)


def _revisions(ordered: Sequence[SentIssue]) -> Mapping[str, bytes]:
    """Return the files that name the revisions that went out, also of what was withdrawn.

    A store that was set back asks there, before it sends an issue, whether it went out already.
    """
    return {
        revision_path(str(sent.manifest.issue.id)): f"{sent.revision_id}\n".encode()
        for sent in ordered
        if sent.revision_id
    }


def shown_essays(sent: SentIssue) -> tuple[Essay, ...]:
    """Return the essays of an issue that are not withdrawn."""
    return tuple(essay for essay in sent.manifest.issue.essays if essay.slug not in sent.withdrawn)


class _SiteBuilder:
    """Builds the pages of a language and collects the images they show.

    `shown` are the issues to show, by date, `languages` the folders of all languages.
    """

    def __init__(
        self, pages: PageRenderer, shown: Sequence[SentIssue], languages: Mapping[str, str]
    ) -> None:
        self.pages, self.shown, self.languages = pages, shown, languages
        self.folder = pages.folder
        self.calendars: dict[str, bytes] = {}
        self.images: dict[str, bytes] = {}
        self.documents: list[SearchDocument | None] = []
        """What can be found, by its number; None for what was withdrawn."""

    def issue_pages(self, sent: SentIssue) -> Iterator[tuple[str, str]]:
        """Yield path and HTML of an issue's page and of those of its essays."""
        for essay in sent.manifest.issue.essays:
            path = essay_path(essay.slug, essay.folder)
            if (withdrawn := sent.withdrawn.get(essay.slug)) is not None:
                self.documents.append(None)
                yield self.tombstone(path, withdrawn)
            else:  # without a translation it is the page in the other language, which links to that one
                yield path, self.essay(sent, essay)
        yield issue_path(str(sent.manifest.issue.id), self.folder), self.issue(sent)

    def essay(self, sent: SentIssue, essay: Essay) -> str:
        path = essay_path(essay.slug, essay.folder)
        builder = self.view_builder(sent, path, self.pages.page_language(essay.language))
        shown = self.pages.essay_view(sent, essay, builder, in_full=True)
        entry = self.pages.entry(sent, builder.links, builder.language)
        page = self.pages.essay_head(sent, essay, shown, builder)
        page = replace(page, alternates=self.essay_alternates(sent, essay))
        html = self.pages.render("essay", ArchiveContext(
            page=page, site=self.pages.site(path), publication=self.pages.publication,
            essay=shown, issue=entry,
        ))  # fmt: skip
        self.calendars.update(calendar_files(sent, essay, builder))
        self.collect_images(builder)
        listed = self.pages.essay_view(sent, essay, self.list_builder(sent), in_full=False)
        topics = tuple(dict.fromkeys((*essay.topics, *self.pages.topic_labels(essay))))
        self.documents.append(essay_document(listed, shown.html, topics, essay.language))
        return html

    def issue(self, sent: SentIssue) -> str:
        issue = sent.manifest.issue
        path = issue_path(str(issue.id), self.folder)
        language = self.pages.page_language(issue.language)
        builder, essays = self.view_builder(sent, path, language), shown_essays(sent)
        position = self.shown.index(sent)
        older = self.shown[position - 1] if position else None
        newer = self.shown[position + 1] if position + 1 < len(self.shown) else None
        entry = self.pages.entry(sent, builder.links, language)
        page = self.pages.issue_head(sent, entry, essays[0] if essays else None, builder)
        in_languages = {one.language: one.folder for one in (sent.whole or issue).in_languages}
        alternates = self.pages.alternates(issue_path(str(issue.id)), in_languages)
        html = self.pages.render("issue", ArchiveContext(
            page=replace(page, alternates=alternates),
            site=self.pages.site(path), publication=self.pages.publication,
            issue=self.pages.opened(sent, entry, builder),
            lead=builder.lead(essays[0], in_full=True) if essays else None,
            corrections=self.pages.corrections(sent, essays[0], builder) if essays else (),
            teasers=tuple(map(builder.teaser, essays[1:])),
            related=tuple(map(builder.story, issue.related)),
            question=question_view(self.pages.publication, issue, builder.typeset),
            older=self.pages.entry(older, builder.links, language) if older else None,
            newer=self.pages.entry(newer, builder.links, language) if newer else None,
        ))  # fmt: skip
        self.collect_images(builder)
        in_list = self.list_builder(sent)
        listed = self.pages.entry(sent, in_list.links, in_list.language)
        stories = tuple(map(in_list.story, issue.related))
        name = in_list.strings("issue_of", date=listed.date)
        self.documents.append(issue_document(listed, name, stories, issue.language))
        return html

    def tombstones(self, sent: SentIssue) -> Iterator[tuple[str, str]]:
        """Yield the pages that stand in for those of a withdrawn issue."""
        assert sent.withdrawal is not None
        self.documents += [None] * (len(sent.manifest.issue.essays) + 1)
        for essay in sent.manifest.issue.essays:
            yield self.tombstone(essay_path(essay.slug, essay.folder), sent.withdrawal)
        path = issue_path(str(sent.manifest.issue.id), self.folder)
        yield self.tombstone(path, sent.withdrawal)

    def tombstone(self, path: str, note: EditorNote) -> tuple[str, str]:
        """Return path and HTML of a page that says that its content was withdrawn, not what it was."""
        language = self.pages.language
        strings = self.pages.strings(language)
        page = replace(
            self.pages.head(path, "gone", language, strings("gone_title")), indexed=False
        )
        return path, self.pages.render("gone", ArchiveContext(
            page=page, site=self.pages.site(path), publication=self.pages.publication,
            gone=GoneView(strings.long_date(note.day), note.in_language(language)),
        ))  # fmt: skip

    def list_pages(self) -> Iterator[tuple[str, str]]:
        """Yield path and HTML of the pages that link to all others."""
        for page_path, view in ((ESSAYS, "essays"), (ARCHIVE, "archive"), (HOME, "home")):
            path = in_folder(page_path, self.folder)
            language = self.pages.language
            strings, links = self.pages.strings(language), self.pages.links(path)
            title = {"archive": strings("all_issues"), "essays": strings("all_essays")}.get(view)
            entries = [self.pages.entry(sent, links, language) for sent in reversed(self.shown)]
            page = self.pages.head(path, view, language, title or self.pages.publication.name)
            page = replace(page, alternates=self.pages.alternates(page_path, self.languages))
            yield path, self.pages.render(view, ArchiveContext(
                page=page, site=self.pages.site(path), publication=self.pages.publication,
                years=_by_year(entries) if view != "home" else (),
                latest=tuple(entries[:LATEST]) if view == "home" else (),
            ))  # fmt: skip

    def missing(self) -> str:
        """Return the HTML of 404.html, for hosts that show it for missing pages."""
        language = self.pages.language
        title = self.pages.strings(language)("page_missing_title")
        page = replace(self.pages.head(MISSING, "missing", language, title), indexed=False)
        page = replace(page, canonical="", image="")
        links = self.pages.links(MISSING)
        newest = [self.pages.entry(sent, links, language) for sent in self.shown[-NEWEST_ON_404:]]
        return self.pages.render("missing", ArchiveContext(
            page=page, site=self.pages.site(MISSING), publication=self.pages.publication,
            latest=tuple(reversed(newest)),
        ))  # fmt: skip

    def view_builder(self, sent: SentIssue, path: str, language: str) -> SiteViewModelBuilder:
        strings = self.pages.strings(language)
        return SiteViewModelBuilder(
            sent.manifest,
            strings,
            self.pages.links(path),
            language=language,
            templates=self.pages.config.templates,
        )

    def list_builder(self, sent: SentIssue) -> SiteViewModelBuilder:
        """Return a builder of what lists show of an issue, with links from the archive's first page."""
        return self.view_builder(sent, in_folder(HOME, self.folder), self.pages.language)

    def essay_alternates(self, sent: SentIssue, essay: Essay) -> tuple[AlternateView, ...]:
        """Return the page of an essay in each of its languages."""
        whole = sent.whole or sent.manifest.issue
        told = [
            one for issue in whole.in_languages for one in issue.essays if one.slug == essay.slug
        ]
        return self.pages.alternates(
            essay_path(essay.slug), {one.language: one.folder for one in told}
        )

    def collect_images(self, builder: SiteViewModelBuilder) -> None:
        """Add the images that a page shows to the files of the archive."""
        self.images |= {image_path(image): image.data for image in builder.images.values()}


def _by_year(entries: Sequence[IssueEntry]) -> tuple[YearView, ...]:
    """Group entries by year, the newest first; essays belong to the year of their issue."""
    return tuple(
        YearView(number, issues, tuple(essay for issue in issues for essay in issue.essays))
        for number, group in groupby(entries, key=lambda entry: int(entry.day[:4]))
        if (issues := tuple(group))
    )
