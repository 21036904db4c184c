"""Renders a manifest to a finished issue: Jinja2, then MJML, then css-inline, and the text part."""

from __future__ import annotations

import quopri
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from upcycle_news.models import Manifest, Publication, RenderedIssue
from upcycle_news.rendering.mjml import render_mjml
from upcycle_news.rendering.template_filling import fill_template
from upcycle_news.rendering.template_strings import read_template_strings
from upcycle_news.rendering.theme import read_theme
from upcycle_news.rendering.view_models import build_template_context
from upcycle_news.text.typography import normalise_text

WARN_HTML_BYTES = 80_000
"""Bytes of the encoded HTML part above which a check warns and `auto` shows only the opening."""

MAX_HTML_BYTES = 100_000
"""Bytes above which Gmail clips the mail, and with it the imprint and the links."""


def encoded_size(html: str) -> int:
    """Return the bytes of the HTML part as it is sent: UTF-8 in quoted-printable."""
    return len(quopri.encodestring(html.encode()))


HTML_TEMPLATE = "newsletter.mjml"
TEXT_TEMPLATE = "newsletter.txt"
STYLE_TEMPLATES = ("partials/inline.css", "partials/pieces.css", "partials/look.css")
"""The style sheets that are written into the elements; what a look says counts most.

The first one has to be there; publications that are older than pieces have none, nor those without a look."""


def render(manifest: Manifest) -> RenderedIssue:
    """Render an issue; the same manifest gives the same bytes.

    Raises `TemplateError` for templates that do not work and `ContentError` for essays that cannot
    be shown, with file and line where they are known.
    """
    length = manifest.publication.length
    if manifest.issue.essays:
        length = manifest.issue.essays[0].length or length
    rendered = _render(manifest, in_full=length != "teaser")
    if length == "auto" and encoded_size(rendered.html) > WARN_HTML_BYTES:
        return _render(manifest, in_full=False)
    return rendered


def _render(manifest: Manifest, *, in_full: bool) -> RenderedIssue:
    templates = manifest.templates
    language = manifest.issue.language
    strings = read_template_strings(templates, language)
    if manifest.issue.file and (feeds_title := manifest.issue.file.feeds_title):
        strings = strings.saying("related", feeds_title)
    context = build_template_context(manifest, strings, in_full=in_full)
    variables = {
        **context.template_variables(),
        "t": strings,
        "theme": read_theme(templates),
    }

    mjml = fill_template(templates, HTML_TEMPLATE, variables)
    css = inline_css(templates, variables)
    plain = fill_template(templates, TEXT_TEMPLATE, variables)
    return RenderedIssue(
        issue=manifest.issue.id,
        language=language,
        subject=context.issue.subject,
        html=render_mjml(mjml, language=language, css=css, templates=templates),
        text=normalise_text_part(plain),
        mjml=mjml,
        # What a template leaves out does not travel with the mail.
        images=tuple(image for image in context.images if f"cid:{image.cid}" in mjml),
    )


def inline_css(templates: Mapping[str, str], variables: Mapping[str, Any]) -> str:
    """Return the style sheet that is written into the elements."""
    required, *others = STYLE_TEMPLATES
    names = (required, *(name for name in others if name in templates))
    return "\n".join(fill_template(templates, name, variables) for name in names)


def normalise_text_part(plain: str) -> str:
    """Remove trailing spaces and repeated empty lines; end with one newline."""
    lines = [line.rstrip() for line in normalise_text(plain).strip().split("\n")]
    single_spaced = [line for number, line in enumerate(lines) if line or lines[number - 1]]
    return "\n".join(single_spaced) + "\n"


@dataclass(frozen=True)
class RenderedTransactional:
    """A transactional mail for one subscriber; its parts hold their personal link."""

    language: str
    subject: str
    html: str
    text: str


def render_transactional(
    templates: Mapping[str, str],
    name: str,
    *,
    publication: Publication,
    language: str,
    values: Mapping[str, Any],
) -> RenderedTransactional:
    """Render ``NAME.mjml`` and ``NAME.txt``; the subject is the string ``NAME_subject``.

    Raises `TemplateError`, as `render` does.
    """
    strings = read_template_strings(templates, language)
    subject = strings(f"{name}_subject", publication=publication.name)
    variables = {
        **values,
        "publication": publication,
        "issue": {"subject": subject, "language": language},
        "t": strings,
        "theme": read_theme(templates),
    }
    css = inline_css(templates, variables)
    mjml = fill_template(templates, f"{name}.mjml", variables)
    return RenderedTransactional(
        language=language,
        subject=subject.replace("\u00a0", " "),
        html=render_mjml(mjml, language=language, css=css, templates=templates),
        text=normalise_text_part(fill_template(templates, f"{name}.txt", variables)),
    )
