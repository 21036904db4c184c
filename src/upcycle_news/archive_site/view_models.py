"""View models of the archive's templates, and the issues and settings it is built from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from html import escape
from urllib.parse import quote

from markdown_it.token import Token
from markupsafe import Markup

from upcycle_news.models import Essay, Issue, Manifest, Publication
from upcycle_news.models.archive_paths import (
    HOME,
    INDEX,
    essay_path,
    event_path,
    image_path,
)
from upcycle_news.models.content import base_of
from upcycle_news.rendering import markdown
from upcycle_news.rendering.essay_fields import with_essay_fields
from upcycle_news.rendering.images import DisplayedImage, inspect_image
from upcycle_news.rendering.pieces import PAGE_PIECES
from upcycle_news.rendering.question import QuestionView
from upcycle_news.rendering.template_strings import TemplateStrings
from upcycle_news.rendering.view_models import (
    AuthorView,
    ImageView,
    LeadView,
    StoryView,
    TeaserView,
    ViewModelBuilder,
)


@dataclass(frozen=True)
class EditorNote:
    """An editor's dated note about a correction or a withdrawal of something sent.

    `notes` are the same in further languages, by language.
    """

    day: date
    note: str
    notes: Mapping[str, str] = field(default_factory=dict)

    def in_language(self, language: str) -> str:
        """Return the note in a language; as it was written first where it was not translated."""
        return self.notes.get(base_of(language), self.note)


@dataclass(frozen=True)
class SentIssue:
    """An issue as it was sent, with corrected essays in its manifest.

    `corrections` and `withdrawn` hold notes by the essay's slug; `withdrawal` is the note when the
    whole issue is withdrawn. `changed_at` is the time of the last of these, or `sent_at`. `revision_id`
    is that of what was sent, whatever was corrected since. `whole` is the issue in all languages where the
    manifest is that of one of them.
    """

    manifest: Manifest
    sent_at: datetime
    changed_at: datetime
    revision_id: str = ""
    corrections: Mapping[str, tuple[EditorNote, ...]] = field(default_factory=dict)
    withdrawn: Mapping[str, EditorNote] = field(default_factory=dict)
    withdrawal: EditorNote | None = None
    whole: Issue | None = None


def shown_essays(sent: SentIssue) -> tuple[Essay, ...]:
    """Return the essays of an issue that are not withdrawn."""
    return tuple(essay for essay in sent.manifest.issue.essays if essay.slug not in sent.withdrawn)


@dataclass(frozen=True)
class SiteConfig:
    """Settings of the archive's pages: publication, templates, and how pages link.

    `feed_id` never changes; `subscribe` is the path or URL of the form, empty without one. `static` are
    the files that the publication adds, by their paths in the archive. By `german_words` the search knows
    the parts of compounds; `pictures` are those that theme.toml names, by their paths in content/images.
    """

    publication: Publication
    templates: Mapping[str, str]
    feed_id: str
    subscribe: str = ""
    index_html: bool = False
    static: Mapping[str, bytes] = field(default_factory=dict)
    german_words: str = ""
    pictures: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True)
class IconView:
    """An icon of the site: what kind it is (the link's `rel`), its URL and media type."""

    rel: str
    url: str
    type: str


@dataclass(frozen=True)
class SiteView:
    """Links of every page; `feed`, `search` (its script) and `subscribe` are empty where there is none.

    `logo` and `logo_dark` stand in the place of the name, and are None where theme.toml names none.
    """

    home: str
    archive: str
    essays: str
    feed: str
    style: str
    search: str
    subscribe: str
    icons: tuple[IconView, ...]
    logo: ImageView | None = None
    logo_dark: ImageView | None = None


@dataclass(frozen=True)
class AlternateView:
    """The same page in a language: its link, its whole `address` (or empty), and the language's own name.

    `main` is the one for readers of none of the languages; `current` is the page itself.
    """

    language: str
    name: str
    url: str
    address: str
    main: bool = False
    current: bool = False


@dataclass(frozen=True)
class PageView:
    """The page itself, for its head. `canonical` and `image` are whole addresses, or empty.

    `dir` is the direction of its own words, ``ltr`` or ``rtl``. `alternates` are the page in each of its
    languages, itself among them; none where there is one language only.
    `data` is JSON-LD; a page that is not `indexed` asks search engines to leave it out.
    """

    view: str
    language: str
    dir: str
    title: str
    description: str
    canonical: str = ""
    image: str = ""
    image_alt: str = ""
    published: str = ""
    changed: str = ""
    data: Markup = field(default_factory=Markup)
    indexed: bool = True
    alternates: tuple[AlternateView, ...] = ()


@dataclass(frozen=True)
class CorrectionView:
    """A correction, its day in words."""

    date: str
    note: str


@dataclass(frozen=True)
@with_essay_fields
class EssayView:
    """An essay in a list, or in full where `html` is set. `day` is for machines: 2026-11-26."""

    title: str
    byline: str
    date: str
    day: str
    minutes: int
    summary: str
    url: str
    lang: str
    dir: str
    image: ImageView | None
    about_author: AuthorView | None
    html: Markup
    corrections: tuple[CorrectionView, ...]


@dataclass(frozen=True)
class IssueEntry:
    """An issue in a list, and with `greeting` on its own page. `feeds_title` is empty for the usual one."""

    id: str
    subject: str
    preheader: str
    date: str
    day: str
    url: str
    lang: str
    dir: str
    essays: tuple[EssayView, ...]
    greeting: Markup = field(default_factory=Markup)
    feeds_title: str = ""


@dataclass(frozen=True)
class YearView:
    """A year of the archive."""

    number: int
    issues: tuple[IssueEntry, ...]
    essays: tuple[EssayView, ...]


@dataclass(frozen=True)
class GoneView:
    """What stands in the place of something withdrawn: when, and what editors say about it."""

    date: str
    note: str


@dataclass(frozen=True)
class ArchiveContext:
    """Every name that the templates of the archive know; what a page has no use for is empty."""

    page: PageView
    site: SiteView
    publication: Publication
    years: tuple[YearView, ...] = ()
    latest: tuple[IssueEntry, ...] = ()
    issue: IssueEntry | None = None
    older: IssueEntry | None = None
    newer: IssueEntry | None = None
    lead: LeadView | None = None
    corrections: tuple[CorrectionView, ...] = ()
    teasers: tuple[TeaserView, ...] = ()
    related: tuple[StoryView, ...] = ()
    essay: EssayView | None = None
    essays: tuple[EssayView, ...] = ()
    gone: GoneView | None = None
    question: QuestionView | None = None


@dataclass(frozen=True)
class RelativeLinks:
    """Links from one page of the archive to others.

    `prefix` precedes every path: ``../../`` on a page two folders down, or a whole URL.
    With `index_html` links name the file, for folders that are read from disk.
    """

    prefix: str = ""
    index_html: bool = False

    def to(self, path: str) -> str:
        """Return the link to a path of the archive, percent-encoded, before HTML escaping."""
        if self.index_html and (path == HOME or path.endswith("/")):
            path += INDEX
        return f"{self.prefix}{quote(path)}" or "./"


class PathLinks(RelativeLinks):
    """No links yet, but paths: what is kept of an issue serves pages at several places."""

    def to(self, path: str) -> str:
        """Return the path itself."""
        return path


def linked_entry(entry: IssueEntry, links: RelativeLinks) -> IssueEntry:
    """Return an entry whose addresses are paths with links from a page."""
    essays = tuple(replace(essay, url=links.to(essay.url)) for essay in entry.essays)
    return replace(entry, url=links.to(entry.url), essays=essays)


@dataclass(frozen=True)
class WebImage(DisplayedImage):
    """An image of a web page, in pixels of its file: the style sheet limits its width.

    It is loaded lazily.
    """

    def tag(self, alt: str) -> str:
        """Return the ``img`` element."""
        return (
            f'<img src="{escape(self.src)}" alt="{escape(alt)}" width="{self.width}" '
            f'height="{self.height}" loading="lazy" decoding="async">'
        )


class SiteViewModelBuilder(ViewModelBuilder):
    """Builds views whose links and images lead to files of the archive.

    `language` is the page's, and `templates` are those that pages are made with; without `anchors` (in
    the feed) footnotes are numbers, as in mails.
    """

    macros = PAGE_PIECES

    def __init__(
        self,
        manifest: Manifest,
        strings: TemplateStrings,
        links: RelativeLinks,
        *,
        language: str,
        templates: Mapping[str, str],
        anchors: bool = True,
    ) -> None:
        super().__init__(manifest, strings)
        self.language, self.templates = language, templates
        self.links, self.anchors = links, anchors

    def html(self, essay: Essay, tokens: Sequence[Token]) -> Markup:
        """Return an essay's tokens as HTML."""
        labels = (self.strings("note"), self.strings("note_back")) if self.anchors else None
        images = self.body_images(essay)
        html = markdown.to_html(
            tokens,
            images,
            essay.language,
            write_block=self.pieces(essay).html,
            note_labels=labels,
        )
        return Markup(html)  # noqa: S704  markdown-it escaped it, html is off

    def essay_url(self, essay: Essay) -> str:
        """Return the link to the essay's page in the archive."""
        return self.links.to(essay_path(essay.slug, essay.folder))

    def calendar_url(self, essay: Essay, number: int) -> str:
        """Return the link to the calendar file of an essay's event."""
        path = event_path(essay.slug, number, essay.folder)
        return self.links.to(path) if essay.slug else ""

    def displayed_image(self, source: str, line: int | None, path: str) -> DisplayedImage:
        """Return an image as a file of the archive; `images` collects those that are shown."""
        _, image = self.read_image(source, line, path)
        self.images.setdefault(image.cid, image)
        _, width, height = inspect_image(path, image.data)
        return WebImage(self.links.to(image_path(image)), width, height)
