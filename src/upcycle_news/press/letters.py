"""Single letters beside the issues, such as the one that asks for confirmation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from upcycle_news.model import Publication
from upcycle_news.press.mjml import render_mjml
from upcycle_news.press.render import STYLE_TEMPLATE, fill, tidy
from upcycle_news.press.words import read_toml, read_words


@dataclass(frozen=True)
class Letter:
    """A letter that is ready for one person; the parts hold their personal link."""

    language: str
    subject: str
    html: str
    text: str


def render_letter(
    templates: Mapping[str, str],
    name: str,
    *,
    publication: Publication,
    language: str,
    values: Mapping[str, Any],
) -> Letter:
    """Fill in ``NAME.mjml`` and ``NAME.txt``; the subject is the words' ``NAME_subject``.

    Raises `TemplateError` as an issue does.
    """
    words = read_words(templates, language)
    subject = words(f"{name}_subject", publication=publication.name)
    names = {
        **values,
        "publication": publication,
        "issue": {"subject": subject, "language": language},
        "t": words,
        "theme": read_toml(templates, "theme.toml"),
    }
    css = fill(templates, STYLE_TEMPLATE, names)
    mjml = fill(templates, f"{name}.mjml", names)
    return Letter(
        language=language,
        subject=subject.replace("\u00a0", " "),
        html=render_mjml(mjml, language=language, css=css, templates=templates),
        text=tidy(fill(templates, f"{name}.txt", names)),
    )
