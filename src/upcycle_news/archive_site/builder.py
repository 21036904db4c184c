"""Builds the archive: a static site of all issues that were sent, as files by their paths.

Without clock and I/O of its own: equal issues and configuration give equal files, whatever was kept of an
earlier build. Files come in the order in which they may be written: a page after the pages it links to.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import accumulate
from typing import Protocol

from upcycle_news.archive_site.atom_sitemap import (
    NEWEST,
    atom_feed,
    feed_entry,
    mapped_issue,
    robots,
    sitemap,
)
from upcycle_news.archive_site.icons import DRAWN, drawn_icon, has_own_icon
from upcycle_news.archive_site.issue_pages import IssuePages
from upcycle_news.archive_site.list_pages import list_pages, missing_page
from upcycle_news.archive_site.pages import PageRenderer
from upcycle_news.archive_site.reuse import (
    IssueSource,
    KeptIssue,
    KeptSearch,
    KeptSite,
    digest,
    digest_of,
    site_key,
)
from upcycle_news.archive_site.search_index import SearchDocument, SearchIndex, search_scripts
from upcycle_news.archive_site.view_models import (
    IssueEntry,
    PathLinks,
    SentIssue,
    SiteConfig,
    shown_essays,
)
from upcycle_news.models.archive_paths import (
    FEED,
    MISSING,
    ROBOTS,
    SITEMAP,
    STYLE,
    file_of,
    in_folder,
    revision_path,
)

Documents = Mapping[str, Sequence[SearchDocument | None]]
"""What the search finds of an issue, by the folder of the language."""


_REVISION = "revision"  # beside the folders of languages: the file that belongs to none


class BuildPorts(Protocol):
    """What a build asks for: an issue, and what is left of an earlier build."""

    def load(self, source: IssueSource) -> SentIssue:
        """Return an issue as it is to be shown."""

    def documents(self, content: str) -> Documents | None:
        """Return what the search finds of an issue's content, None where that was not kept."""

    def search(self, folder: str) -> KeptSearch | None:
        """Return the index of the search in a language, None where it was not kept."""

    def has_file(self, path: str, sha256: str) -> bool:
        """Tell whether a file of the archive is there with these bytes."""


@dataclass(frozen=True)
class BuiltSite:
    """The files of the archive, and the numbers of issues and essays they show.

    `files` are those that were made, `unchanged` the SHA-256 of the others, both by path. `kept` is for the
    next build, with the `documents` of the issues that were rendered, by the issue's content, and the
    `search` by the folder of the language, where it was made. `rendered` and `reused` count pages.
    """

    files: Mapping[str, bytes]
    issues: int
    essays: int
    unchanged: Mapping[str, str] = field(default_factory=dict)
    kept: KeptSite = field(default_factory=KeptSite)
    documents: Mapping[str, Documents] = field(default_factory=dict)
    search: Mapping[str, KeptSearch] = field(default_factory=dict)
    rendered: int = 0
    reused: int = 0


def build_archive(sent: Iterable[SentIssue], config: SiteConfig) -> BuiltSite:
    """Return all files of the archive; `sent` in any order.

    Raises `TemplateError` for templates that do not work and `ContentError` for essays that cannot
    be shown.
    """
    given = {str(issue.manifest.issue.id): issue for issue in sent}
    sources = [IssueSource(issue.manifest.issue.id, name) for name, issue in given.items()]
    return build_changed(sources, config, KeptSite(), _Given(given))


def build_changed(
    sources: Iterable[IssueSource], config: SiteConfig, kept: KeptSite, ports: BuildPorts
) -> BuiltSite:
    """Return the files of the archive, made where what was kept of an earlier build is not the same.

    Raises as `build_archive` does.
    """
    return _Build(sorted(sources, key=lambda one: one.id), config, kept, ports).site()


@dataclass(frozen=True)
class _Given:
    """Issues that are loaded already, and nothing of an earlier build."""

    issues: Mapping[str, SentIssue]

    def load(self, source: IssueSource) -> SentIssue:
        return self.issues[source.key]

    def documents(self, content: str) -> None:
        return None

    def search(self, folder: str) -> None:
        return None

    def has_file(self, path: str, sha256: str) -> bool:
        return False


@dataclass(frozen=True)
class _Facts:
    """What has to be known of an issue before any page is rendered; `folders` are those of its languages.

    `shown`: in lists, feeds, site map and search; what was withdrawn is not, nor a digest, which tells again.
    """

    source: IssueSource
    content: str
    folders: tuple[str, ...]
    shown: bool


@dataclass
class _MadeIssue:
    """A rendered issue, by the folder of the language: its files, what pages load first, and what is found."""

    first: dict[str, dict[str, bytes]] = field(default_factory=dict)
    pages: dict[str, dict[str, bytes]] = field(default_factory=dict)
    documents: dict[str, list[SearchDocument | None]] = field(default_factory=dict)
    kept: KeptIssue = field(init=False)


@dataclass
class _Lists:
    """Files that are made of all issues, those that come last of all; by folder, entries of the feeds and the search."""

    pages: dict[str, bytes] = field(default_factory=dict)
    last: dict[str, bytes] = field(default_factory=dict)
    entries: dict[str, dict[str, str]] = field(default_factory=dict)
    search: dict[str, KeptSearch] = field(default_factory=dict)


class _Build:
    """One build. `sources` are the issues by date."""

    def __init__(
        self,
        sources: Sequence[IssueSource],
        config: SiteConfig,
        kept: KeptSite,
        ports: BuildPorts,
    ) -> None:
        self.config, self.kept, self.ports = config, kept, ports
        self.key = site_key(config)
        self.loaded: dict[str, SentIssue] = {}
        self.made: dict[str, _MadeIssue] = {}
        self.documents: dict[str, Documents] = {}
        self.facts = [self._facts_of(source) for source in sources]
        self.sources = {facts.content: facts.source for facts in self.facts}
        # Lists, feeds, site map and search are made of these: a digest is in none of them.
        self.issues = [facts for facts in self.facts if not facts.source.id.digest]
        own, *further = config.publication.languages
        used = (folder for facts in self.facts for folder in facts.folders if folder)
        # Folders of languages that are not offered any more stay: mails link to them.
        self.languages = {own: "", **{one: one for one in (*further, *used) if one != own}}
        self.shown = {
            folder: [one for one in self.facts if one.shown and folder in one.folders]
            for folder in self.languages.values()
        }
        self.pages = {
            folder: self._page_renderer(language, folder)
            for language, folder in self.languages.items()
        }

    def site(self) -> BuiltSite:
        """Make what is not there as it should be, and return the site."""
        for facts in self.facts:
            known = self.kept.issues.get(facts.content)
            if known is None or known.key != self._issue_key(facts):
                self._render(facts)
        for facts in list(self._damaged()):
            self._render(facts)
        same = self._lists_key() == self.kept.lists_key and all(
            self.ports.has_file(path, sha256) for path, sha256 in self.kept.lists.items()
        )
        return self._built(None if same else self._lists())

    # --- what is known before anything is rendered

    def _facts_of(self, source: IssueSource) -> _Facts:
        content = digest(self.key, source.key)
        if (known := self.kept.issues.get(content)) is not None:
            return _Facts(source, content, known.folders, known.mapped is not None)
        sent = self.loaded[content] = self.ports.load(source)
        folders = tuple(one.folder for one in sent.manifest.issue.in_languages)
        listed = sent.withdrawal is None and not source.id.digest
        return _Facts(source, content, folders, listed)

    def _page_renderer(self, language: str, folder: str) -> PageRenderer:
        config = self.config
        if folder:
            feed_id = f"{config.feed_id}/{folder}" if config.feed_id else ""
            publication = replace(config.publication.in_language(language), language=language)
            config = replace(config, publication=publication, feed_id=feed_id)
        return PageRenderer(config, has_feed=bool(self.shown[folder]), folder=folder)

    @cached_property
    def _neighbours(self) -> Mapping[tuple[str, str], tuple[_Facts | None, _Facts | None]]:
        """The issues before and after each shown one, by folder and content."""
        return {
            (folder, facts.content): (before, after)
            for folder, shown in self.shown.items()
            for before, facts, after in zip([None, *shown], shown, [*shown[1:], None], strict=False)
        }

    def _neighbours_of(self, facts: _Facts, folder: str) -> tuple[_Facts | None, _Facts | None]:
        return self._neighbours.get((folder, facts.content), (None, None))

    def _issue_key(self, facts: _Facts) -> str:
        """Return the key of all that goes into the pages of an issue."""
        around = {
            folder: [
                pages.language,
                pages.has_feed,
                *(one and one.content for one in self._neighbours_of(facts, folder)),
            ]
            for folder, pages in self.pages.items()
            if folder in facts.folders
        }
        return digest(facts.content, around)

    def _lists_key(self) -> str:
        """Return the key of all that goes into lists, search, feeds and site map."""
        contents = [facts.content for facts in self.issues]
        config = self.config
        return digest(self.key, config.feed_id, config.german_words, self.languages, contents)

    # --- the pages of an issue

    def _sent(self, content: str) -> SentIssue:
        if content not in self.loaded:
            self.loaded[content] = self.ports.load(self.sources[content])
        return self.loaded[content]

    def _told(self, facts: _Facts, folder: str) -> SentIssue:
        """Return an issue as it is told in one language."""
        sent = self._sent(facts.content)
        whole = sent.manifest.issue
        told = next(issue for issue in whole.in_languages if issue.folder == folder)
        return replace(sent, manifest=sent.manifest.of(told), whole=whole)

    def _render(self, facts: _Facts) -> None:
        """Render the pages of an issue in all its languages."""
        made = _MadeIssue()
        entries: dict[str, IssueEntry | None] = {}
        for folder in (folder for folder in self.pages if folder in facts.folders):
            pages, told = self.pages[folder], self._told(facts, folder)
            older, newer = (
                None if one is None else self._told(one, folder)
                for one in self._neighbours_of(facts, folder)
            )
            rendered = IssuePages(pages, told, (older, newer))
            made.first[folder] = rendered.images
            made.pages[folder] = rendered.calendars | rendered.html
            made.documents[folder] = rendered.documents
            entry = pages.entry(told, PathLinks(), pages.language)
            entries[folder] = entry if facts.shown else None
        sent = self._sent(facts.content)
        if sent.revision_id and not facts.source.id.digest:
            # A store that was set back asks there, before it sends an issue, whether it went out already.
            revision = {revision_path(str(facts.source.id)): f"{sent.revision_id}\n".encode()}
            made.first[_REVISION] = revision
        made.kept = self._kept_of(facts, made, entries)
        self.made[facts.content] = made

    def _kept_of(
        self, facts: _Facts, made: _MadeIssue, entries: Mapping[str, IssueEntry | None]
    ) -> KeptIssue:
        """Return what is kept of an issue that was rendered."""
        return KeptIssue(
            id=facts.source.id,
            content=facts.content,
            key=self._issue_key(facts),
            folders=facts.folders,
            files={
                folder: _digests({**files, **made.pages.get(folder, {})})
                for folder, files in made.first.items()
            },
            documents={folder: len(found) for folder, found in made.documents.items()},
            entries=entries,
            mapped=mapped_issue(self._sent(facts.content)) if facts.shown else None,
            essays=len(shown_essays(self._told(facts, ""))) if "" in facts.folders else 0,
        )

    def _kept(self, content: str) -> KeptIssue:
        made = self.made.get(content)
        return made.kept if made is not None else self.kept.issues[content]

    def _owners(self) -> Mapping[str, tuple[str, str]]:
        """Return the folder and content of the issue whose file stands at each path.

        Of several it is the later one, and before others that of the main language.
        """
        folders = [*(folder for folder in self.pages if folder), "", _REVISION]
        return {
            path: (folder, facts.content)
            for folder in folders
            for facts in self.facts
            for path in self._kept(facts.content).files.get(folder, ())
        }

    def _damaged(self) -> Iterator[_Facts]:
        """Yield the issues of which a file is not there as it was made."""
        owners = self._owners()
        for facts in self.facts:
            if facts.content not in self.made and not all(
                self.ports.has_file(path, sha256)
                for folder, files in self._kept(facts.content).files.items()
                for path, sha256 in files.items()
                if owners[path] == (folder, facts.content)
            ):
                yield facts

    # --- what is made of all issues

    def _lists(self) -> _Lists:
        """Make what shows all issues: lists, search, feeds and site map."""
        lists = _Lists()
        for folder, pages in self.pages.items():
            shown = [self._kept(facts.content) for facts in self.shown[folder]]
            entries = [entry for one in shown if (entry := one.entries[folder]) is not None]
            for path, html in list_pages(pages, entries, self.languages):
                lists.pages[file_of(path)] = html.encode()
            if shown:
                found = self._search(folder, lists).files()
                lists.pages |= {in_folder(path, folder): data for path, data in found.items()}
                newest = shown[: -NEWEST - 1 : -1]
                lists.entries[folder] = self._feed_entries(newest, folder)
                updated = max(one.mapped.changed_at for one in newest if one.mapped is not None)
                feed = atom_feed(
                    list(lists.entries[folder].values()), updated, pages.config, folder
                )
                lists.last[in_folder(FEED, folder)] = feed
            if not folder:
                lists.last[MISSING] = missing_page(pages, entries).encode()
        if self.config.publication.site_url:
            everything = [self._kept(facts.content).mapped for facts in self.issues]
            mapped = [one for one in everything if one is not None]
            lists.last[SITEMAP] = sitemap(mapped, self.config, self.languages).encode()
        return lists

    def _search(self, folder: str, lists: _Lists) -> SearchIndex:
        """Return the index of the search in a language, with a number also for what was withdrawn.

        Documents are added to the earlier index as long as the older ones are the same.
        """
        told = [facts for facts in self.issues if folder in facts.folders]
        contents, key = [facts.content for facts in told], digest(self.config.german_words)
        kept = self.ports.search(folder)
        if kept is None or kept.key != key or contents[: len(kept.contents)] != kept.contents:
            kept = KeptSearch(key, [], SearchIndex.of(self.config.german_words))
        counts = [self._kept(content).documents[folder] for content in contents]
        begins = [0, *accumulate(counts)]

        def document(number: int) -> SearchDocument | None:
            place = bisect_right(begins, number) - 1
            return self._documents_of(told[place])[folder][number - begins[place]]

        new = told[len(kept.contents) :]
        found = [one for facts in new for one in self._documents_of(facts)[folder]]
        kept.index.add(found, document)
        lists.search[folder] = KeptSearch(key, contents, kept.index)
        return kept.index

    def _documents_of(self, facts: _Facts) -> Documents:
        content = facts.content
        if content not in self.documents:
            known = None if content in self.made else self.ports.documents(content)
            if known is None and content not in self.made:
                self._render(facts)
            self.documents[content] = known or self.made[content].documents
        return self.documents[content]

    def _feed_entries(self, newest: Sequence[KeptIssue], folder: str) -> dict[str, str]:
        """Return the entries of a feed by the content of their issues."""
        known, pages = self.kept.feed.get(folder, {}), self.pages[folder]
        by_content = {facts.content: facts for facts in self.shown[folder]}
        return {
            one.content: known.get(one.content)
            or feed_entry(self._told(by_content[one.content], folder), pages)
            for one in newest
        }

    # --- the site as files

    def _shared_files(self) -> dict[str, bytes]:
        """Return the files that pages load, and those of the publication: nothing of an issue is in them."""
        main, static = self.pages[""], self.config.static
        files = {**main.logo_files(), STYLE: main.style.encode()}
        for folder, shown in self.shown.items():
            if shown:
                files |= {in_folder(path, folder): data for path, data in search_scripts().items()}
        if not has_own_icon(static):
            files[DRAWN] = drawn_icon(self.config.publication.name, main.theme)
        files |= static
        return files

    def _built(self, lists: _Lists | None) -> BuiltSite:
        """Return the site; without `lists` those of the earlier build stay."""
        first, pages = self._shared_files(), dict[str, bytes]()
        unchanged = {} if lists else dict(self.kept.lists)
        for path, (folder, content) in self._owners().items():
            made = self.made.get(content)
            if made is None:
                unchanged[path] = self.kept.issues[content].files[folder][path]
            elif path in (given := made.first[folder]):
                first[path] = given[path]
            else:
                pages[path] = made.pages[folder][path]
        last = {ROBOTS: robots(self.config).encode()}
        kept = replace(
            self.kept, issues={one.content: self._kept(one.content) for one in self.facts}
        )
        if lists:
            pages |= lists.pages
            last |= lists.last
            made_lists = _digests(lists.pages | lists.last)
            kept = replace(kept, lists_key=self._lists_key(), lists=made_lists, feed=lists.entries)
        shown = [self._kept(facts.content) for facts in self.shown[""]]
        files = {**first, **pages, **last}
        return BuiltSite(
            files=files,
            issues=len(shown),
            essays=sum(one.essays for one in shown),
            unchanged={path: sha256 for path, sha256 in unchanged.items() if path not in files},
            kept=kept,
            documents={content: made.documents for content, made in self.made.items()},
            search=lists.search if lists else {},
            rendered=sum(path.endswith(".html") for path in (*pages, *last)),
            reused=sum(path.endswith(".html") for path in unchanged),
        )


def _digests(files: Mapping[str, bytes]) -> dict[str, str]:
    return {path: digest_of(data) for path, data in files.items()}
