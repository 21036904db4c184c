"""One page of the archive: what stands in it, in its head, and how it links to the others."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import datetime
from typing import Any

from markupsafe import Markup

from upcycle_news.archive_site.view_models import (
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
    STYLE,
    essay_path,
    image_path,
    issue_path,
)
from upcycle_news.rendering.render import fill_template
from upcycle_news.rendering.template_strings import (
    TemplateStrings,
    catalogue_name,
    read_template_strings,
    read_toml,
)
from upcycle_news.rendering.view_models import reading_minutes, subject
from upcycle_news.text.typography import one_line, typeset

FOLDER = "archive"
VIEWS = ("home", "archive", "essays", "issue", "essay", "gone", "missing")


def rfc3339(at: datetime) -> str:
    """A time of the store for machines, to the second (RFC 3339)."""
    return at.replace(microsecond=0).isoformat().replace("+00:00", "Z")


class PageRenderer:
    """Writes the pages in one look; keeps what is the same for all of them."""

    def __init__(self, config: SiteConfig, *, has_feed: bool) -> None:
        """Read the theme; raises `TemplateError` when it is missing or broken."""
        self.config, self.publication = config, config.publication
        self.has_feed = has_feed
        self.language = config.publication.language
        self.style = _style(config)
        self._words: dict[str, TemplateStrings] = {}

    def words(self, language: str) -> TemplateStrings:
        """The catalogue of a language."""
        if language not in self._words:
            self._words[language] = read_template_strings(self.config.templates, language)
        return self._words[language]

    def page_language(self, language: str) -> str:
        """The language of a page's own words: the essay's, if we have words in it."""
        there = catalogue_name(language) in self.config.templates
        return language if there else self.language

    def links(self, path: str) -> RelativeLinks:
        """How the page at a path links. The page for what is missing stands at any depth."""
        if path == MISSING:
            return RelativeLinks(f"{self.publication.site_url}/", self.config.index_html)
        return RelativeLinks("../" * path.count("/"), self.config.index_html)

    def site(self, path: str) -> SiteView:
        """The links of every page, as seen from this one."""
        links, form = self.links(path), self.config.subscribe
        return SiteView(
            home=links.to(HOME),
            archive=links.to(ARCHIVE),
            essays=links.to(ESSAYS),
            feed=links.to(FEED) if self.has_feed else "",
            style=links.to(STYLE),
            subscribe=links.to(form) if form and ":" not in form else form,
        )

    def write(self, view: str, path: str, context: ArchiveContext) -> str:
        """Fill in a page's template."""
        names: dict[str, Any] = {one.name: getattr(context, one.name) for one in fields(context)}
        names["t"] = self.words(context.page.language)
        return fill_template(self.config.templates, f"{FOLDER}/{view}.html", names).rstrip() + "\n"

    def head(self, path: str, view: str, language: str, title: str) -> PageView:
        """The head of a page about the publication itself."""
        return PageView(
            view=view,
            language=language,
            title=title,
            description=self.publication.tagline or self.publication.name,
            canonical=self.publication.site_address(path),
        )

    def issue_head(
        self, sent: SentIssue, entry: IssueEntry, lead: Essay | None, builder: SiteViewModelBuilder
    ) -> PageView:
        """The head of an issue's page; its picture is the leading essay's."""
        path = issue_path(entry.id)
        image, alt = self._shared_image(lead, builder)
        return PageView(
            view="issue",
            language=builder.language,
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
        """The head of an essay's page."""
        address = self.publication.site_address(essay_path(essay.slug))
        image, alt = self._shared_image(essay, builder)
        changed = max((one.day for one in sent.corrections.get(essay.slug, ())), default=None)
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
            "mainEntityOfPage": address,
            "image": image,
            "keywords": ", ".join(essay.topics),
        }  # fmt: skip
        return PageView(
            view="essay",
            language=builder.language,
            title=shown.title,
            description=shown.summary or shown.title,
            canonical=address,
            image=image,
            image_alt=alt,
            published=first,
            changed=changed.isoformat() if changed else first,
            data=_json({key: value for key, value in data.items() if value}),
        )

    def _shared_image(self, essay: Essay | None, builder: SiteViewModelBuilder) -> tuple[str, str]:
        if essay is None or essay.image is None:
            return "", ""
        _, image = builder.read(essay.source, None, essay.image.path)
        address = self.publication.site_address(image_path(image))
        return address, typeset(essay.image.alt, essay.language)

    def entry(self, sent: SentIssue, links: RelativeLinks, language: str) -> IssueEntry:
        """An issue as a list names it, on a page in `language`."""
        issue = sent.manifest.issue
        words = self.words(language)
        builder = SiteViewModelBuilder(sent.manifest, words, links, language=language)
        date = words.full_date(issue.id.day)
        shown = [one for one in issue.essays if one.slug not in sent.withdrawn]
        name, preheader = subject(sent.manifest), typeset(issue.preheader, issue.language)
        if shown != list(issue.essays):
            # They may say what was withdrawn.
            name = typeset(shown[0].title, shown[0].language) if shown else ""
            preheader = typeset(shown[0].summary, shown[0].language) if shown else ""
        return IssueEntry(
            id=str(issue.id),
            subject=name or words("issue_of", date=date),
            preheader=preheader,
            date=date,
            day=issue.id.day.isoformat(),
            url=links.to(issue_path(str(issue.id))),
            lang=builder.foreign(issue.language),
            essays=tuple(self.essay_view(sent, one, builder, in_full=False) for one in shown),
        )

    def essay_view(
        self, sent: SentIssue, essay: Essay, builder: SiteViewModelBuilder, *, in_full: bool
    ) -> EssayView:
        """An essay in full, or as a list names it: without picture and text."""
        lead = builder.lead(essay, in_full=True) if in_full else None
        return EssayView(
            title=typeset(essay.title, essay.language),
            byline=one_line(essay.author),
            date=builder.words.long_date(essay.date),
            day=essay.date.isoformat(),
            minutes=reading_minutes(essay.body),
            summary=typeset(essay.summary, essay.language),
            url=builder.essay_url(essay.slug),
            lang=builder.foreign(essay.language),
            image=lead.image if lead else None,
            html=lead.html if lead else Markup(""),
            topics=essay.topics,
            corrections=self.corrections(sent, essay, builder),
        )

    def corrections(
        self, sent: SentIssue, essay: Essay, builder: SiteViewModelBuilder
    ) -> tuple[CorrectionView, ...]:
        """What was corrected in an essay, the newest last."""
        return tuple(
            CorrectionView(builder.words.long_date(one.day), typeset(one.note, essay.language))
            for one in sent.corrections.get(essay.slug, ())
        )


def _style(config: SiteConfig) -> str:
    name = f"{FOLDER}/style.css"
    css = fill_template(
        config.templates, name, {"theme": read_toml(config.templates, "theme.toml")}
    )
    if "url(" in css or "@import" in css:
        raise TemplateError(f"templates/{name}", None, localized("style-loads"))
    return css.rstrip() + "\n"


def _json(value: dict[str, Any]) -> Markup:
    """JSON that can stand inside a script element: no tag can end it."""
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704  escaped above
