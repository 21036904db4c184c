"""The pages of one issue in one language: its own, those of its essays, and what the search finds there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from upcycle_news.archive_site.calendar_files import calendar_files
from upcycle_news.archive_site.pages import PageRenderer
from upcycle_news.archive_site.search_index import (
    SearchDocument,
    essay_document,
    issue_document,
)
from upcycle_news.archive_site.view_models import (
    AlternateView,
    ArchiveContext,
    EditorNote,
    GoneView,
    SentIssue,
    SiteViewModelBuilder,
    shown_essays,
)
from upcycle_news.models import Essay
from upcycle_news.models.archive_paths import (
    HOME,
    essay_path,
    file_of,
    image_path,
    in_folder,
    issue_path,
)
from upcycle_news.rendering.question import question_view
from upcycle_news.text.escaped_markdown import escape_markdown

Neighbours = tuple[SentIssue | None, SentIssue | None]
"""The issues before and after one, as far as they are shown."""


class IssuePages:
    """Renders the pages of an issue in a language, and collects the files that they need."""

    def __init__(self, pages: PageRenderer, sent: SentIssue, neighbours: Neighbours) -> None:
        """Render everything; `sent` is the issue as it is told in the language of `pages`."""
        self.pages, self.neighbours = pages, neighbours
        self.folder = pages.folder
        self.calendars: dict[str, bytes] = {}
        self.images: dict[str, bytes] = {}
        self.documents: list[SearchDocument | None] = []
        """What can be found; None for what was withdrawn, which keeps its number."""
        if sent.manifest.issue.id.digest:
            written = iter([self.digest(sent)])
        else:
            written = self.tombstones(sent) if sent.withdrawal else self.issue_pages(sent)
        self.html = {file_of(path): html.encode() for path, html in written}

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
        older, newer = self.neighbours
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

    def digest(self, sent: SentIssue) -> tuple[str, str]:
        """Return path and HTML of a digest's page: teasers that lead to the essays, which are nowhere in full twice."""
        issue = sent.manifest.issue
        # The mail begins with its subject in bold, which is the heading of the page.
        greeting = issue.greeting.removeprefix(f"**{escape_markdown(issue.subject)}**").lstrip()
        sent = replace(
            sent, manifest=replace(sent.manifest, issue=replace(issue, greeting=greeting))
        )
        path = issue_path(str(issue.id), self.folder)
        language = self.pages.page_language(issue.language)
        builder = self.view_builder(sent, path, language)
        entry = self.pages.entry(sent, builder.links, language)
        page = self.pages.issue_head(sent, entry, None, builder)
        in_languages = {one.language: one.folder for one in (sent.whole or issue).in_languages}
        alternates = self.pages.alternates(issue_path(str(issue.id)), in_languages)
        html = self.pages.render("issue", ArchiveContext(
            page=replace(page, alternates=alternates, indexed=False),
            site=self.pages.site(path), publication=self.pages.publication,
            issue=self.pages.opened(sent, entry, builder),
            teasers=tuple(map(builder.teaser, issue.essays)),
            related=tuple(map(builder.story, issue.related)),
        ))  # fmt: skip
        self.collect_images(builder)
        return path, html

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
