"""Renders a step of the welcome: the editors' words between masthead and footer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

from upcycle_news.models import Essay, Issue, IssueId, Manifest, Placeholder, Publication
from upcycle_news.models.archive_paths import ARCHIVE
from upcycle_news.models.welcome import TEMPLATE, WelcomeFile
from upcycle_news.rendering.mjml import render_mjml
from upcycle_news.rendering.render import inline_css, normalise_text_part
from upcycle_news.rendering.template_filling import fill_template
from upcycle_news.rendering.template_strings import read_template_strings
from upcycle_news.rendering.theme import read_theme
from upcycle_news.rendering.view_models import Links, ViewModelBuilder

_NO_DAY = IssueId(date(2000, 1, 1))


@dataclass(frozen=True)
class RenderedWelcome:
    """A step for all readers: their own links are `Placeholder` values."""

    subject: str
    html: str
    text: str


def render_welcome(
    templates: Mapping[str, str], publication: Publication, step: WelcomeFile
) -> RenderedWelcome:
    """Render ``welcome.mjml`` and ``welcome.txt``; raises `TemplateError` and `ContentError`."""
    language = publication.language
    strings = read_template_strings(templates, language)
    issue = Issue(_NO_DAY, language, step.subject, step.preheader, ())
    builder = ViewModelBuilder(Manifest(issue, publication, templates), strings)
    body, text, links = builder.greeting(_as_essay(step, language))
    subject = " ".join(builder.typeset(step.subject, language).split())
    variables = {
        "publication": publication,
        "issue": {
            "subject": subject,
            "preheader": builder.typeset(step.preheader, language),
            "language": language,
        },
        "body": body,
        "body_text": text,
        "body_links": links,
        "links": _links(publication),
        "t": strings,
        "theme": read_theme(templates),
    }
    mjml = fill_template(templates, f"{TEMPLATE}.mjml", variables)
    css = inline_css(templates, variables)
    return RenderedWelcome(
        subject=subject,
        html=render_mjml(mjml, language=language, css=css, templates=templates),
        text=normalise_text_part(fill_template(templates, f"{TEMPLATE}.txt", variables)),
    )


def _as_essay(step: WelcomeFile, language: str) -> Essay:
    return Essay(
        slug="",
        source=step.source,
        title="",
        author="",
        date=_NO_DAY.day,
        language=language,
        summary="",
        body=step.body,
        body_line=step.body_line,
    )


def _links(publication: Publication) -> Links:
    """Return the links of the footer; a step has no page of its own in the archive."""
    return Links(
        unsubscribe=Placeholder.UNSUBSCRIBE.value,
        preferences=Placeholder.PREFERENCES.value,
        online="",
        archive=publication.site_address(ARCHIVE),
        subscribe="",
        reply="",
    )
