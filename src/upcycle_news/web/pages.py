"""The pages of the web door, made of templates/page.html and the newsletter's own theme."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from functools import cached_property
from typing import Any

from markupsafe import Markup

from upcycle_news.errors import TemplateError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Publication
from upcycle_news.rendering.render import fill_template
from upcycle_news.rendering.template_strings import (
    TemplateStrings,
    read_template_strings,
    read_toml,
)

TEMPLATE = "page.html"
STYLE = "page.css"
LANGUAGES = ("de", "en")


class PageRenderer:
    """Writes the pages of one publication; keeps what is the same for all of them."""

    def __init__(self, templates: Mapping[str, str], publication: Publication) -> None:
        """Read words and theme; raises `TemplateError` when one is missing or broken."""
        self._templates = templates
        self._publication = publication
        self._words = {language: read_template_strings(templates, language) for language in LANGUAGES}

    def words(self, language: str) -> TemplateStrings:
        """The catalogue of a language."""
        return self._words[language]

    @cached_property
    def style(self) -> str:
        """The style sheet that stands in each page."""
        theme = read_toml(self._templates, "theme.toml")
        css = fill_template(self._templates, STYLE, {"theme": theme})
        if "</" in css or "url(" in css or "@import" in css:
            raise TemplateError(f"templates/{STYLE}", None, localized("style-closes"))
        return f"\n{css}\n"

    @cached_property
    def style_hash(self) -> str:
        """Names the style sheet in the Content-Security-Policy, which allows no other."""
        return base64.b64encode(hashlib.sha256(self.style.encode()).digest()).decode()

    def write(self, view: str, language: str, **values: Any) -> str:
        """The page `view` (a name the template knows) with its values."""
        return fill_template(
            self._templates,
            TEMPLATE,
            {
                "view": view,
                "language": language,
                "languages": LANGUAGES,
                "publication": self._publication,
                "style": Markup(self.style),  # noqa: S704  our own sheet, checked above
                "t": self._words[language],
                **values,
            },
        )
