"""Renders a manifest to a finished issue: Jinja2, then MJML, then css-inline, and the text part."""

from __future__ import annotations

import quopri
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import jinja2
from jinja2.sandbox import ImmutableSandboxedEnvironment

from upcycle_news.errors import TemplateError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Manifest, Publication, RenderedIssue
from upcycle_news.rendering import plaintext
from upcycle_news.rendering.mjml import render_mjml
from upcycle_news.rendering.template_strings import read_template_strings, read_toml
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
STYLE_TEMPLATE = "partials/inline.css"


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
    context = build_template_context(manifest, strings, in_full=in_full)
    variables = {
        **context.template_variables(),
        "t": strings,
        "theme": read_toml(templates, "theme.toml"),
    }

    mjml = fill_template(templates, HTML_TEMPLATE, variables)
    css = fill_template(templates, STYLE_TEMPLATE, variables)
    plain = fill_template(templates, TEXT_TEMPLATE, variables)
    return RenderedIssue(
        issue=manifest.issue.id,
        language=language,
        subject=context.issue.subject,
        html=render_mjml(mjml, language=language, css=css, templates=templates),
        text=normalise_text_part(plain),
        mjml=mjml,
        images=context.images,
    )


def fill_template(templates: Mapping[str, str], name: str, variables: Mapping[str, Any]) -> str:
    """Render one template; any failure becomes a `TemplateError` at the template's line."""
    try:
        return _environment(frozenset(templates.items())).get_template(name).render(variables)
    except jinja2.TemplateSyntaxError as error:
        where = f"templates/{error.name or name}"
        raise TemplateError(
            where, error.lineno, localized("template-syntax", reason=str(error.message))
        ) from error
    except jinja2.TemplateNotFound as error:
        where, line = _template_location(error, name)
        raise TemplateError(
            where, line, localized("template-reference", name=str(error.message))
        ) from error
    except jinja2.UndefinedError as error:
        where, line = _template_location(error, name)
        raise TemplateError(
            where, line, localized("template-undefined", reason=str(error.message))
        ) from error
    except (
        jinja2.TemplateError,
        ArithmeticError,
        AttributeError,
        LookupError,
        RecursionError,
        TypeError,
        ValueError,
    ) as error:
        where, line = _template_location(error, name)
        reason = f"{type(error).__name__}: {error}"
        raise TemplateError(where, line, localized("template-fails", reason=reason)) from error


@lru_cache(maxsize=4)
def _environment(templates: frozenset[tuple[str, str]]) -> jinja2.Environment:
    """Return an environment of compiled templates, cached by their content."""
    sources = dict(templates)

    def load(name: str) -> tuple[str, str, None] | None:
        # Tracebacks show this file name, and so do our errors.
        return (sources[name], f"templates/{name}", None) if name in sources else None

    # Our own predicate: select_autoescape() does not know .mjml. Sandboxed, as a pull request renders
    # the templates of whoever sends it.
    environment = ImmutableSandboxedEnvironment(
        loader=jinja2.FunctionLoader(load),
        autoescape=_is_markup,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=False,
    )
    environment.filters["wrap"] = _text_filter(plaintext.wrap)
    environment.filters["underline"] = _text_filter(plaintext.underline)
    return environment


def _text_filter(function: Callable[..., str]) -> Callable[..., str]:
    """Return a filter of texts that takes numbers and fields that an essay lacks, too."""

    def text_filter(value: object, *arguments: Any, **named: Any) -> str:
        return function(str(value), *arguments, **named)

    return text_filter


def _is_markup(name: str | None) -> bool:
    """Return whether a template is escaped: plain text, style sheets and TOML are not."""
    return name is None or not name.endswith((".txt", ".css", ".toml"))


def _template_location(error: BaseException, name: str) -> tuple[str, int | None]:
    """Return file and line of the innermost template frame of a traceback."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.filename.startswith("templates/"):
            return frame.filename, frame.lineno
    return f"templates/{name}", None


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
        "theme": read_toml(templates, "theme.toml"),
    }
    css = fill_template(templates, STYLE_TEMPLATE, variables)
    mjml = fill_template(templates, f"{name}.mjml", variables)
    return RenderedTransactional(
        language=language,
        subject=subject.replace("\u00a0", " "),
        html=render_mjml(mjml, language=language, css=css, templates=templates),
        text=normalise_text_part(fill_template(templates, f"{name}.txt", variables)),
    )
