"""The web pages for subscribers, rendered from templates/page.html with the newsletter's theme."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any
from urllib.parse import urlsplit

from markupsafe import Markup

from upcycle_news.errors import TemplateError
from upcycle_news.i18n.messages import LANGUAGES, localized
from upcycle_news.models import Publication
from upcycle_news.rendering.template_filling import fill_template
from upcycle_news.rendering.template_strings import read_template_strings
from upcycle_news.rendering.theme import read_theme
from upcycle_news.rendering.typesetter import Typesetter, read_typesetter

TEMPLATE = "page.html"
STYLE = "page.css"

NEWER_VIEWS = ("question",)
"""Views that the page.html of an older publication may not know."""

BUNDLED = "page.bundled.html"
"""The bundled template's name beside an older one of the publication's own."""


class PageRenderer:
    """Renders the pages of one publication; caches what is the same for all of them."""

    def __init__(self, templates: Mapping[str, str], publication: Publication) -> None:
        """Read strings and theme; raises `TemplateError` when one is missing or broken."""
        self._templates = templates
        self._publication = publication
        self._strings = {
            language: read_template_strings(templates, language) for language in LANGUAGES
        }

    @cached_property
    def _typesetter(self) -> Typesetter:
        return read_typesetter(self._templates)

    @property
    def root(self) -> str:
        """The path part of the public address, which links on the pages begin with."""
        return urlsplit(self._publication.public_url).path.rstrip("/")

    @cached_property
    def style(self) -> str:
        """The style sheet that each page embeds."""
        theme = read_theme(self._templates)
        css = fill_template(self._templates, STYLE, {"theme": theme})
        if "</" in css or "url(" in css or "@import" in css:
            raise TemplateError(f"templates/{STYLE}", None, localized("style-closes"))
        return f"\n{css}\n"

    @cached_property
    def style_hash(self) -> str:
        """The SHA-256 of the style sheet for the Content-Security-Policy, which allows no other."""
        return base64.b64encode(hashlib.sha256(self.style.encode()).digest()).decode()

    def render(self, view: str, language: str, **values: Any) -> str:
        """Return the page `view` (a name that the template knows) with its values.

        `language_names` and `topic_labels` are what readers of the language see of languages and topics.
        """
        publication = self._publication.in_language(language)
        own_words = self._strings[language]
        topics = values.get("topics", ())
        is_newer = view in NEWER_VIEWS and BUNDLED in self._templates
        return fill_template(
            self._templates,
            BUNDLED if is_newer else TEMPLATE,
            {
                "view": view,
                "root": self.root,
                "language": language,
                "languages": LANGUAGES,
                "issue_languages": self._publication.languages,
                "language_names": {
                    one: self._publication.language_label(one, language)
                    or own_words(f"language_{one}")
                    for one in LANGUAGES
                },
                "topic_labels": {one: publication.topic_label(one, language) for one in topics},
                "publication": publication,
                "style": Markup(self.style),  # noqa: S704  our own sheet, checked above
                "t": own_words,
                "typeset": lambda text: self._typesetter(text, language),
                **values,
            },
        )
