"""View models of a mail: values that templates print as they are, without logic of their own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from functools import partial
from typing import Any
from urllib.parse import quote
from zoneinfo import ZoneInfo

from markdown_it.token import Token
from markupsafe import Markup

from upcycle_news.errors import ContentError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import (
    Essay,
    FeedItem,
    InlineImage,
    Manifest,
    Placeholder,
    Publication,
    Related,
)
from upcycle_news.models.archive_paths import (
    ARCHIVE,
    essay_path,
    event_path,
    image_path,
    in_folder,
    page_of,
)
from upcycle_news.rendering import markdown, plaintext
from upcycle_news.rendering.essay_fields import essay_fields, with_essay_fields
from upcycle_news.rendering.images import COLUMN_WIDTH, DisplayedImage, read_image
from upcycle_news.rendering.pieces import MAIL_PIECES, PieceWriter
from upcycle_news.rendering.question import QuestionView, question_view
from upcycle_news.rendering.template_strings import TemplateStrings
from upcycle_news.rendering.theme import logo_width, read_theme
from upcycle_news.rendering.typesetter import read_typesetter
from upcycle_news.text import image_paths
from upcycle_news.text.typography import base_language, direction, one_line

MAIL_WIDTH = 600
"""CSS pixels of the mail from edge to edge."""

PORTRAIT_WIDTH = 72
"""CSS pixels of an author's portrait."""

READING_SPEED = 200
"""Words a minute."""


def reading_minutes(body: str) -> int:
    """Return the minutes that reading an essay takes, at least one."""
    return max(1, round(len(body.split()) / READING_SPEED))


@dataclass(frozen=True)
class LanguageLink:
    """The page of the issue in another language, such as ``en``."""

    language: str
    url: str


@dataclass(frozen=True)
class Links:
    """Addresses below the issue; `online`, `archive` and `subscribe` are empty without a public address.

    `languages` are the issue's pages in the other
    languages that it is told in. `reply` opens a mail to the editors with the issue's subject; empty without an address for answers.
    """

    unsubscribe: str
    preferences: str
    online: str
    archive: str
    subscribe: str
    reply: str
    languages: tuple[LanguageLink, ...] = ()


@dataclass(frozen=True)
class ImageView:
    """An essay's image; `html` is the ``img`` element, sizes are CSS pixels.

    `caption` and `credit` are the lines below it, each empty where the essay has none.
    """

    src: str
    alt: str
    width: int
    height: int
    html: Markup
    caption: str = ""
    credit: str = ""


@dataclass(frozen=True)
class AuthorView:
    """What is said about an author: the portrait is None, `about` empty where there is none."""

    name: str
    about: str
    portrait: ImageView | None


@dataclass(frozen=True)
class MastheadView:
    """The pictures of the masthead, each None where theme.toml names none; a dark logo needs a light one."""

    logo: ImageView | None
    logo_dark: ImageView | None
    picture: ImageView | None


@dataclass(frozen=True)
@with_essay_fields
class LeadView:
    """The essay that leads. `lang` is set where it differs from the issue's, `more` if it goes on.

    `dir` is ``rtl`` for a language that is written from the right, else empty.
    """

    title: str
    byline: str
    date: str
    minutes: int
    url: str
    lang: str
    dir: str
    image: ImageView | None
    about_author: AuthorView | None
    html: Markup
    text: str
    links: tuple[str, ...]
    more: bool


@dataclass(frozen=True)
@with_essay_fields
class TeaserView:
    """A further essay: title, summary and where to read on."""

    title: str
    byline: str
    date: str
    minutes: int
    summary: str
    url: str
    lang: str
    dir: str
    image: ImageView | None
    about_author: AuthorView | None


@dataclass(frozen=True)
class SourceView:
    """Another feed that tells the same story."""

    name: str
    url: str


@dataclass(frozen=True)
class StoryView:
    """A related story as its first item tells it."""

    title: str
    url: str
    source: str
    date: str
    excerpt: str
    lang: str
    dir: str
    also: tuple[SourceView, ...]


@dataclass(frozen=True)
class IssueView:
    """The mailing itself: its id, subject and date in words.

    `greeting` is what the editors say before the essays; `greeting_text` and `greeting_links` are the
    same for the text part. All three are empty without one.
    """

    id: str
    subject: str
    preheader: str
    language: str
    date: str
    greeting: Markup = field(default_factory=Markup)
    greeting_text: str = ""
    greeting_links: tuple[str, ...] = ()


@dataclass(frozen=True)
class TemplateContext:
    """Everything a template may name, and the images that travel with the mail.

    `essay` is the leading one again, by the name that loops over `teasers` use: so a partial about
    an essay serves both.
    """

    issue: IssueView
    publication: Publication
    lead: LeadView | None
    essay: LeadView | None
    teasers: tuple[TeaserView, ...]
    related: tuple[StoryView, ...]
    links: Links
    masthead: MastheadView
    question: QuestionView | None = None
    images: tuple[InlineImage, ...] = field(default=())

    def template_variables(self) -> dict[str, Any]:
        """Return the values by the names that templates use."""
        return {
            "issue": self.issue,
            "publication": self.publication,
            "lead": self.lead,
            "essay": self.essay,
            "teasers": self.teasers,
            "related": self.related,
            "links": self.links,
            "masthead": self.masthead,
            "question": self.question,
        }


def build_template_context(
    manifest: Manifest, strings: TemplateStrings, *, in_full: bool = True
) -> TemplateContext:
    """Return the context of a manifest's templates; raises `ContentError` for unusable images.

    `in_full`: the whole leading essay, or its opening only.
    """
    issue = manifest.issue
    language = issue.language
    builder = ViewModelBuilder(manifest, strings)
    greeting, greeting_text, greeting_links = builder.greeting(issue.greeting_essay)
    lead = builder.lead(issue.essays[0], in_full) if issue.essays else None
    return TemplateContext(
        issue=IssueView(
            id=str(issue.id),
            subject=subject(manifest),
            preheader=builder.typeset(issue.preheader, language),
            language=language,
            date=strings.full_date(_day(manifest)),
            greeting=greeting,
            greeting_text=greeting_text,
            greeting_links=greeting_links,
        ),
        publication=_publication(manifest),
        lead=lead,
        essay=lead,
        teasers=tuple(map(builder.teaser, issue.essays[1:])),
        related=tuple(map(builder.story, issue.related)),
        links=_links(manifest, subject(manifest)),
        masthead=builder.masthead(),
        question=question_view(manifest.publication, issue, builder.typeset),
        images=tuple(builder.images.values()),
    )


def _day(manifest: Manifest) -> date:
    """Return the day that a mail shows: a correction's is that of the last thing it tells."""
    told = manifest.issue.told
    zone = ZoneInfo(manifest.publication.timezone)
    return max(one.at for one in told).astimezone(zone).date() if told else manifest.issue.id.day


def _publication(manifest: Manifest) -> Publication:
    """Return the publication with the closing note of this issue, if it has its own."""
    note = manifest.issue.file.closing_note if manifest.issue.file else ""
    return replace(manifest.publication, closing_note=note or manifest.publication.closing_note)


def subject(manifest: Manifest) -> str:
    """Return the subject line: with the language's quotation marks, without no-break spaces."""
    issue = manifest.issue
    typesetter = read_typesetter(manifest.templates)
    return " ".join(typesetter(issue.subject, issue.language).split())


def _links(manifest: Manifest, subject: str) -> Links:
    publication, folder = manifest.publication, manifest.issue.folder
    form = f"{publication.public_url}/subscribe"
    reply = publication.reply_to or publication.sender_address
    return Links(
        unsubscribe=Placeholder.UNSUBSCRIBE.value,
        preferences=Placeholder.PREFERENCES.value,
        online=publication.site_address(page_of(manifest.issue.id, folder)),
        archive=publication.site_address(in_folder(ARCHIVE, folder)),
        subscribe=(f"{form}?lang={folder}" if folder else form) if publication.public_url else "",
        reply=f"mailto:{quote(reply, safe='@')}?subject={quote(f'Re: {subject}')}" if reply else "",
        languages=tuple(
            LanguageLink(language, publication.site_address(page_of(manifest.issue.id, other)))
            for language, other in manifest.elsewhere
            if publication.site_url
        ),
    )


class ViewModelBuilder:
    """Builds views of essays and stories, and collects the images they use, each once.

    The archive has a subclass whose links and images are those of a web page.
    """

    def __init__(self, manifest: Manifest, strings: TemplateStrings) -> None:
        self.language = manifest.issue.language
        self.publication = manifest.publication
        self.files: Mapping[str, bytes] = manifest.images
        self.templates: Mapping[str, str] = manifest.templates
        self.strings = strings
        self.typeset = read_typesetter(manifest.templates)
        self.zone = ZoneInfo(manifest.publication.timezone)
        self.images: dict[str, InlineImage] = {}

    def lead(self, essay: Essay, in_full: bool) -> LeadView:
        whole = markdown.parse_essay(essay, self.typeset.marks_of(essay.language))
        tokens = whole if in_full else markdown.opening_blocks(whole, markdown.OPENING)
        html = self.html(essay, tokens)
        plain, links = self.text(essay, tokens)
        return LeadView(
            **self.common_fields(essay),
            html=html,
            text=plain,
            links=links,
            more=len(tokens) < len(whole),
        )

    def greeting(self, essay: Essay | None) -> tuple[Markup, str, tuple[str, ...]]:
        """Return a greeting as HTML and as text with its links; empty without one."""
        if essay is None:
            return Markup(), "", ()
        tokens = markdown.parse_essay(essay, self.typeset.marks_of(essay.language))
        return (self.html(essay, tokens), *self.text(essay, tokens))

    def text(self, essay: Essay, tokens: Sequence[Token]) -> tuple[str, tuple[str, ...]]:
        """Return an essay's tokens as plain text, and the links that are numbered in it."""
        return plaintext.to_text(
            tokens, image_label=self.strings("image"), words_of=self.pieces(essay).texts
        )

    def html(self, essay: Essay, tokens: Sequence[Token]) -> Markup:
        """Return an essay's tokens as HTML."""
        html = markdown.to_html(
            tokens, self.body_images(essay), essay.language, write_block=self.pieces(essay).html
        )
        return Markup(html)  # noqa: S704  markdown-it escaped it, html is off

    macros = MAIL_PIECES

    def pieces(self, essay: Essay) -> PieceWriter:
        """Return what writes the fenced blocks of an essay."""
        return PieceWriter(
            templates=self.templates,
            macros=self.macros,
            strings=self.strings,
            typeset=self.typeset,
            language=essay.language,
            theme=read_theme(self.templates),
            calendar=lambda number: self.calendar_url(essay, number),
        )

    def calendar_url(self, essay: Essay, number: int) -> str:
        """Return the URL of the calendar file of an essay's event; empty without an archive."""
        path = event_path(essay.slug, number, essay.folder)
        return self.publication.site_address(path) if essay.slug else ""

    def teaser(self, essay: Essay) -> TeaserView:
        return TeaserView(
            **self.common_fields(essay), summary=self.typeset(essay.summary, essay.language)
        )

    def common_fields(self, essay: Essay) -> dict[str, Any]:
        """Return the fields that lead and teaser have in common."""
        return {
            "title": self.typeset(essay.title, essay.language),
            "byline": one_line(essay.author),
            "date": self.strings.long_date(essay.date),
            "minutes": reading_minutes(essay.body),
            "url": self.essay_url(essay),
            "lang": self.lang_attribute(essay.language),
            "dir": direction(essay.language),
            "image": self.image(essay),
            "about_author": self.about_author(essay),
            **self.essay_fields(essay),
        }

    def essay_fields(self, essay: Essay) -> dict[str, Any]:
        """Return the declared fields of an essay as templates print them, topics by their labels."""
        labels = (self.publication.topic_label(one, essay.language) for one in essay.topics)
        return essay_fields(replace(essay, topics=tuple(labels)), self.strings, self.typeset)

    def essay_url(self, essay: Essay) -> str:
        """Return the URL of the whole essay; empty without an archive."""
        return self.publication.site_address(essay_path(essay.slug, essay.folder))

    def story(self, related: Related) -> StoryView:
        item = related.story.lead
        others: dict[str, SourceView] = {}
        for other in related.story.items[1:]:
            if other.feed != item.feed:
                others.setdefault(other.feed, SourceView(one_line(other.feed), other.link))
        return StoryView(
            title=self.typeset(item.title, item.language),
            url=item.link,
            source=one_line(item.feed),
            date=self.strings.long_date(self.local_time(item.date).date()),
            excerpt=self.typeset(self.summary(item), item.language),
            lang=self.lang_attribute(item.language),
            dir=direction(item.language),
            also=tuple(others.values()),
        )

    def summary(self, item: FeedItem) -> str:
        """Return an item's excerpt as composing cut it, empty when it only repeats the title."""
        repeats = one_line(item.summary).casefold() == one_line(item.title).casefold()
        return "" if repeats else item.summary

    def lang_attribute(self, language: str) -> str:
        """Return a language that differs from the issue's, else an empty string."""
        return "" if base_language(language) == base_language(self.language) else language

    def local_time(self, moment: datetime) -> datetime:
        return moment.astimezone(self.zone)

    def image(self, essay: Essay) -> ImageView | None:
        if essay.image is None:
            return None
        image = self.displayed_image(essay.source, None, essay.image.path)
        alt = self.typeset(essay.image.alt, essay.language)
        tag = Markup(image.tag(alt))  # noqa: S704  the tag escapes what it is given
        below = (
            self.typeset(essay.image.caption, essay.language),
            self.typeset(essay.image.credit, essay.language),
        )
        return ImageView(image.src, alt, image.width, image.height, tag, *below)

    def about_author(self, essay: Essay) -> AuthorView | None:
        """Return what the settings say about the author of an essay, if anything."""
        name = one_line(essay.author)
        for author in self.publication.authors:
            if name and one_line(author.name).casefold() == name.casefold():
                about = self.typeset(author.about, self.publication.language)
                # The name stands beside it: read twice it would only disturb.
                portrait = self.design_picture(author.portrait, "", PORTRAIT_WIDTH)
                return AuthorView(name, about, portrait) if about or portrait else None
        return None

    def masthead(self) -> MastheadView:
        """Return the pictures of the masthead that theme.toml names."""
        theme = read_theme(self.templates)
        logo, masthead, name = theme["logo"], theme["masthead"], self.publication.name
        width = logo_width(theme)
        return MastheadView(
            self.design_picture(logo["light"], name, width),
            self.design_picture(logo["dark"], name, width) if logo["light"] else None,
            self.design_picture(masthead["picture"], masthead["picture_alt"], MAIL_WIDTH),
        )

    def design_picture(self, written: str, alt: str, width: int) -> ImageView | None:
        """Return a picture that settings or the theme name, at most `width` CSS pixels wide.

        None where none is named, and in an issue that is older than the setting.
        """
        path = image_paths.image_path(written)
        if path is None or path not in self.files:
            return None
        given = self.displayed_image(f"content/images/{path}", None, path)
        shown = min(width, given.width) if width < COLUMN_WIDTH else width
        height = max(1, round(given.height * shown / given.width))
        image = replace(given, width=shown, height=height)
        tag = Markup(image.tag(alt))  # noqa: S704  the tag escapes what it is given
        return ImageView(image.src, alt, shown, height, tag)

    def body_images(self, essay: Essay) -> dict[str, DisplayedImage]:
        """Return the images in an essay's body by path; raises `ContentError` for a missing one."""
        load = partial(self.displayed_image, essay.source)
        return {
            path: load(essay.body_line + reference.line - 1, path)
            for reference in markdown.references(essay.body)
            if reference.kind == "image"
            and (path := image_paths.image_path(reference.target)) is not None
        }

    def displayed_image(self, source: str, line: int | None, path: str) -> DisplayedImage:
        """Return an image as the mail shows it; `images` collects those that are embedded."""
        displayed, image = self.read_image(source, line, path)
        if self.publication.images == "hosted":
            return replace(displayed, src=self.publication.site_address(image_path(image)))
        self.images.setdefault(image.cid, image)
        return displayed

    def read_image(
        self, source: str, line: int | None, path: str
    ) -> tuple[DisplayedImage, InlineImage]:
        """Return an image of the manifest; raises `ContentError` at `source` when it is missing."""
        data = self.files.get(path)
        if data is None:
            raise ContentError(source, line, localized("picture-not-in-issue", image=path))
        return read_image(path, data)
