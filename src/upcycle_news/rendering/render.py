"""Renders a manifest to a finished issue: Jinja2, then MJML, then css-inline, and the text part."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

from upcycle_news.models import IssueId, Manifest, Publication, RenderedIssue
from upcycle_news.rendering.mail_size import WARN_HTML_BYTES, encoded_size
from upcycle_news.rendering.mjml import render_mjml
from upcycle_news.rendering.template_filling import fill_template
from upcycle_news.rendering.template_strings import TemplateStrings, read_template_strings
from upcycle_news.rendering.theme import read_theme
from upcycle_news.rendering.view_models import TemplateContext, build_template_context
from upcycle_news.text.typography import normalise_text

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
    return render_issue(manifest)[1]


def render_issue(manifest: Manifest) -> tuple[IssueTemplates, RenderedIssue]:
    """Return what `render` does, and what its templates were filled with."""
    length = manifest.publication.length
    if manifest.issue.essays:
        length = manifest.issue.essays[0].length or length
    templates = IssueTemplates.of(manifest, in_full=length != "teaser")
    rendered = templates.render()
    if length == "auto" and encoded_size(rendered.html) > WARN_HTML_BYTES:
        templates = IssueTemplates.of(manifest, in_full=False)
        return templates, templates.render()
    return templates, rendered


@dataclass(frozen=True)
class FilledTemplates:
    """The templates of a mail with everything filled in, before MJML becomes HTML."""

    mjml: str
    css: str
    text: str


@dataclass(frozen=True)
class IssueTemplates:
    """The templates of an issue, and what is filled in; the feed items may be others (`with_stories`)."""

    issue: IssueId
    language: str
    templates: Mapping[str, str]
    strings: TemplateStrings
    context: TemplateContext

    @classmethod
    def of(cls, manifest: Manifest, *, in_full: bool) -> Self:
        """Return those of a manifest; `in_full` as for `build_template_context`."""
        language = manifest.issue.language
        strings = read_template_strings(manifest.templates, language)
        if manifest.issue.file and (feeds_title := manifest.issue.file.feeds_title):
            strings = strings.saying("related", feeds_title)
        context = build_template_context(manifest, strings, in_full=in_full)
        return cls(manifest.issue.id, language, manifest.templates, strings, context)

    def with_stories(self, numbers: Collection[int]) -> Self:
        """Return the same with some of the feed items only, by their places."""
        stories = enumerate(self.context.related)
        chosen = tuple(story for number, story in stories if number in numbers)
        return replace(self, context=replace(self.context, related=chosen))

    def fill(self) -> FilledTemplates:
        """Fill the templates in; raises `TemplateError`."""
        variables = {
            **self.context.template_variables(),
            "t": self.strings,
            "theme": read_theme(self.templates),
        }
        return FilledTemplates(
            mjml=fill_template(self.templates, HTML_TEMPLATE, variables),
            css=inline_css(self.templates, variables),
            text=normalise_text_part(fill_template(self.templates, TEXT_TEMPLATE, variables)),
        )

    def to_html(self, filled: FilledTemplates) -> str:
        """Return the HTML part of filled templates; raises `TemplateError`."""
        return render_mjml(
            filled.mjml, language=self.language, css=filled.css, templates=self.templates
        )

    def rendered(self, filled: FilledTemplates, html: str) -> RenderedIssue:
        """Return the mail of filled templates and their HTML part."""
        return RenderedIssue(
            issue=self.issue,
            language=self.language,
            subject=self.context.issue.subject,
            html=html,
            text=filled.text,
            mjml=filled.mjml,
            # What a template leaves out does not travel with the mail.
            images=tuple(
                image for image in self.context.images if f"cid:{image.cid}" in filled.mjml
            ),
        )

    def render(self) -> RenderedIssue:
        """Fill the templates and return the mail; raises `TemplateError`."""
        filled = self.fill()
        return self.rendered(filled, self.to_html(filled))


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
