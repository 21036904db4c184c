"""Renders the pages of the archive: their head, contents and links to other pages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from markupsafe import Markup

from upcycle_news.archive_site.icons import icon_links, shared_picture
from upcycle_news.archive_site.view_models import (
    AlternateView,
    ArchiveContext,
    CorrectionView,
    EssayView,
    IssueEntry,
    PageView,
    RelativeLinks,
    SentIssue,
    SiteConfig,
    SiteView,
    SiteViewModelBuilder,
    WebImage,
)
from upcycle_news.errors import TemplateError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Essay
from upcycle_news.models.archive_paths import (
    ARCHIVE,
    ESSAYS,
    FEED,
    HOME,
    MISSING,
    SEARCH,
    STYLE,
    essay_path,
    image_path,
    in_folder,
    issue_path,
)
from upcycle_news.rendering.images import read_image
from upcycle_news.rendering.template_filling import fill_template
from upcycle_news.rendering.template_strings import (
    TemplateStrings,
    catalogue_name,
    read_template_strings,
)
from upcycle_news.rendering.theme import logo_width, read_theme, theme_pictures
from upcycle_news.rendering.view_models import ImageView, reading_minutes, subject
from upcycle_news.text.typography import base_language, direction, one_line

FOLDER = "archive"
VIEWS = ("home", "archive", "essays", "issue", "essay", "gone", "missing")


def rfc3339(at: datetime) -> str:
    """Return a UTC time as RFC 3339, to the second."""
    return at.replace(microsecond=0).isoformat().replace("+00:00", "Z")


class PageRenderer:
    """Renders pages with one configuration; caches style sheet and strings."""

    def __init__(self, config: SiteConfig, *, has_feed: bool, folder: str = "") -> None:
        """Read the theme; raises `TemplateError` when it is missing or broken.

        `folder` is that of a further language, whose pages stand in it.
        """
        self.folder = folder
        self.config, self.publication = config, config.publication
        self.theme = read_theme(config.templates)
        self.logos = {
            key: path
            for (table, key), path in theme_pictures(self.theme).items()
            if table == "logo" and path in config.pictures
        }
        self.has_feed = has_feed
        self.language = config.publication.language
        self.style = _style(config, self.theme)
        self._strings: dict[str, TemplateStrings] = {}

    def strings(self, language: str) -> TemplateStrings:
        """Return the template strings of a language."""
        if language not in self._strings:
            self._strings[language] = read_template_strings(self.config.templates, language)
        return self._strings[language]

    def page_language(self, language: str) -> str:
        """Return the language of a page's own strings: the essay's if it has a catalogue."""
        has_catalogue = catalogue_name(language) in self.config.templates
        return language if has_catalogue else self.language

    def links(self, path: str) -> RelativeLinks:
        """Return the links of the page at a path; those of 404.html, shown anywhere, are absolute."""
        if path == MISSING:
            below = urlsplit(self.publication.site_url).path
            return RelativeLinks(f"{below}/", self.config.index_html)
        return RelativeLinks("../" * path.count("/"), self.config.index_html)

    def site(self, path: str) -> SiteView:
        """Return the links that every page has, relative to this one."""
        links, form = self.links(path), self.config.subscribe
        return SiteView(
            home=links.to(in_folder(HOME, self.folder)),
            archive=links.to(in_folder(ARCHIVE, self.folder)),
            essays=links.to(in_folder(ESSAYS, self.folder)),
            feed=links.to(in_folder(FEED, self.folder)) if self.has_feed else "",
            style=links.to(STYLE),
            search=links.to(in_folder(f"{SEARCH}form.js", self.folder)) if self.has_feed else "",
            subscribe=(links.to(form) if form and ":" not in form else form)
            + (f"?lang={self.folder}" if form and self.folder else ""),
            icons=icon_links(self.config.static, links),
            logo=self._logo("light", links),
            logo_dark=self._logo("dark", links),
        )

    def _logo(self, shade: str, links: RelativeLinks) -> ImageView | None:
        """Return a logo that theme.toml names; a dark one needs a light one."""
        path = self.logos.get("light") and self.logos.get(shade)
        if path is None:
            return None
        data = self.config.pictures[path]
        given, image = read_image(path, data)
        width = min(given.width, logo_width(self.theme))
        shown = WebImage(
            links.to(image_path(image)), width, max(1, round(given.height * width / given.width))
        )
        name = self.publication.name
        tag = Markup(shown.tag(name))  # noqa: S704  the tag escapes what it is given
        return ImageView(shown.src, name, shown.width, shown.height, tag)

    def logo_files(self) -> dict[str, bytes]:
        """Return the files of the logos by their paths in the archive."""
        given = {path: self.config.pictures[path] for path in self.logos.values()}
        return {image_path(read_image(path, data)[1]): data for path, data in given.items()}

    def render(self, view: str, context: ArchiveContext) -> str:
        """Render the template of a view."""
        variables: dict[str, Any] = {
            field.name: getattr(context, field.name) for field in fields(context)
        }
        variables["t"] = self.strings(context.page.language)
        return (
            fill_template(self.config.templates, f"{FOLDER}/{view}.html", variables).rstrip() + "\n"
        )

    def head(self, path: str, view: str, language: str, title: str) -> PageView:
        """Return the head of a page about the publication itself."""
        return PageView(
            view=view,
            language=language,
            dir=direction(language) or "ltr",
            title=title,
            description=self.publication.tagline or self.publication.name,
            canonical=self.publication.site_address(path),
            image=self._own_picture(),
            image_alt=self.publication.name if self._own_picture() else "",
        )

    def topic_labels(self, essay: Essay) -> tuple[str, ...]:
        """Return the topics of an essay as readers of its language see them."""
        return tuple(self.publication.topic_label(one, essay.language) for one in essay.topics)

    def alternates(self, path: str, folders: Mapping[str, str]) -> tuple[AlternateView, ...]:
        """Return the views of one page in several languages; none where there is only one.

        `folders` are the folders of the languages that have it, by language, the main one first; `path` is
        that of the page without its folder.
        """
        if len(folders) < 2:
            return ()
        links, main = self.links(in_folder(path, self.folder)), next(iter(folders))
        return tuple(
            AlternateView(
                language=language,
                name=self.strings(self.page_language(language))(
                    f"language_{base_language(language)}"
                ),
                url=links.to(in_folder(path, folder)),
                address=self.publication.site_address(in_folder(path, folder)),
                main=language == main,
                current=folder == self.folder,
            )
            for language, folder in folders.items()
        )

    def issue_head(
        self, sent: SentIssue, entry: IssueEntry, lead: Essay | None, builder: SiteViewModelBuilder
    ) -> PageView:
        """Return the head of an issue's page; its image is the leading essay's."""
        path = issue_path(entry.id, self.folder)
        image, alt = self._shared_image(lead, builder)
        return PageView(
            view="issue",
            language=builder.language,
            dir=direction(builder.language) or "ltr",
            title=entry.subject,
            description=entry.preheader or entry.date,
            canonical=self.publication.site_address(path),
            image=image,
            image_alt=alt,
            published=rfc3339(sent.sent_at),
            changed=rfc3339(sent.changed_at),
        )

    def essay_head(
        self, sent: SentIssue, essay: Essay, shown: EssayView, builder: SiteViewModelBuilder
    ) -> PageView:
        """Return the head of an essay's page, with JSON-LD."""
        address = self.publication.site_address(essay_path(essay.slug, essay.folder))
        image, alt = self._shared_image(essay, builder)
        changed = max((note.day for note in sent.corrections.get(essay.slug, ())), default=None)
        first = rfc3339(sent.sent_at)
        data = {
            "@context": "https://schema.org",
            "@type": "Article",
            "headline": shown.title,
            "description": shown.summary,
            "inLanguage": essay.language,
            "datePublished": first,
            "dateModified": changed.isoformat() if changed else first,
            "author": {"@type": "Person" if shown.byline else "Organization",
                       "name": shown.byline or self.publication.name},
            "publisher": {"@type": "Organization", "name": self.publication.name},
            "mainEntityOfPage": essay.canonical or address,
            "image": image,
            "keywords": ", ".join(self.topic_labels(essay)),
        }  # fmt: skip
        return PageView(
            view="essay",
            language=builder.language,
            dir=direction(builder.language) or "ltr",
            title=shown.title,
            description=shown.summary or shown.title,
            # What was published elsewhere first is one text to search engines (RFC 6596).
            canonical=essay.canonical or address,
            image=image,
            image_alt=alt,
            published=first,
            changed=changed.isoformat() if changed else first,
            data=_json({key: value for key, value in data.items() if value}),
        )

    def _shared_image(self, essay: Essay | None, builder: SiteViewModelBuilder) -> tuple[str, str]:
        if essay is None or essay.image is None:
            own = self._own_picture()
            return own, self.publication.name if own else ""
        _, image = builder.read_image(essay.source, None, essay.image.path)
        address = self.publication.site_address(image_path(image))
        return address, builder.typeset(essay.image.alt, essay.language)

    def _own_picture(self) -> str:
        """Return the address of the publication's picture for shared links, empty if it has none."""
        path = shared_picture(self.config.static)
        return self.publication.site_address(path) if path else ""

    def entry(self, sent: SentIssue, links: RelativeLinks, language: str) -> IssueEntry:
        """Return an issue as lists show it, on a page in `language`."""
        issue = sent.manifest.issue
        strings = self.strings(language)
        builder = SiteViewModelBuilder(
            sent.manifest, strings, links, language=language, templates=self.config.templates
        )
        date = strings.full_date(issue.id.day)
        shown = [essay for essay in issue.essays if essay.slug not in sent.withdrawn]
        name, preheader = subject(sent.manifest), builder.typeset(issue.preheader, issue.language)
        if shown != list(issue.essays):
            # The original ones may describe a withdrawn essay.
            name = builder.typeset(shown[0].title, shown[0].language) if shown else ""
            preheader = builder.typeset(shown[0].summary, shown[0].language) if shown else ""
        return IssueEntry(
            id=str(issue.id),
            subject=name or strings("issue_of", date=date),
            preheader=preheader,
            date=date,
            day=issue.id.day.isoformat(),
            url=links.to(issue_path(str(issue.id), self.folder)),
            lang=builder.lang_attribute(issue.language),
            dir=direction(issue.language),
            essays=tuple(self.essay_view(sent, essay, builder, in_full=False) for essay in shown),
        )

    def opened(
        self, sent: SentIssue, entry: IssueEntry, builder: SiteViewModelBuilder
    ) -> IssueEntry:
        """Return an issue as its own page shows it: with its greeting and the heading of its items.

        Where an essay was withdrawn there is no greeting: it may speak of it.
        """
        issue, file = sent.manifest.issue, sent.manifest.issue.file
        greeting, _, _ = builder.greeting(None if sent.withdrawn else issue.greeting_essay)
        title = builder.typeset(file.feeds_title, issue.language) if file else ""
        return replace(entry, greeting=greeting, feeds_title=title)

    def essay_view(
        self, sent: SentIssue, essay: Essay, builder: SiteViewModelBuilder, *, in_full: bool
    ) -> EssayView:
        """Return an essay in full, or as lists show it: without image and text."""
        lead = builder.lead(essay, in_full=True) if in_full else None
        return EssayView(
            title=builder.typeset(essay.title, essay.language),
            byline=one_line(essay.author),
            date=builder.strings.long_date(essay.date),
            day=essay.date.isoformat(),
            minutes=reading_minutes(essay.body),
            summary=builder.typeset(essay.summary, essay.language),
            url=builder.essay_url(essay),
            lang=builder.lang_attribute(essay.language),
            dir=direction(essay.language),
            image=lead.image if lead else None,
            about_author=lead.about_author if lead else None,
            html=lead.html if lead else Markup(""),
            corrections=self.corrections(sent, essay, builder),
            **builder.essay_fields(essay),
        )

    def corrections(
        self, sent: SentIssue, essay: Essay, builder: SiteViewModelBuilder
    ) -> tuple[CorrectionView, ...]:
        """Return the corrections of an essay, the newest last."""
        return tuple(
            CorrectionView(
                builder.strings.long_date(note.day),
                builder.typeset(note.in_language(essay.language), essay.language),
            )
            for note in sent.corrections.get(essay.slug, ())
        )


def _style(config: SiteConfig, theme: dict[str, Any]) -> str:
    name = f"{FOLDER}/style.css"
    css = fill_template(config.templates, name, {"theme": theme})
    if "url(" in css or "@import" in css:
        raise TemplateError(f"templates/{name}", None, localized("style-loads"))
    return css.rstrip() + "\n"


def _json(value: dict[str, Any]) -> Markup:
    """Return JSON for a script element: with <, > and & escaped, no tag can end it."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return Markup(text)  # noqa: S704  escaped above
