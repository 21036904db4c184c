"""`app.pages`: the web pages for subscribers, as the publication's templates make them."""

from __future__ import annotations

from typing import Any

from upcycle_news.app.context import AppContext
from upcycle_news.i18n.messages import LANGUAGES
from upcycle_news.rendering.subscriber_pages import PageRenderer
from upcycle_news.services.content.page_templates import complete_page_templates
from upcycle_news.services.content.templates import publication_templates

__all__ = ["LANGUAGES", "Pages"]


class Pages:
    """Renders templates/page.html with the publication's theme and texts.

    The templates are read once, when the group is made; that raises `TemplateError` when one is
    missing or broken.
    """

    def __init__(self, context: AppContext) -> None:
        """Make the group of an open publication; `App.pages` is the usual way."""
        self._context = context
        self._renderer = PageRenderer(
            complete_page_templates(publication_templates(context)), context.publication
        )

    @property
    def style_hash(self) -> str:
        """The SHA-256 of the pages' style sheet in base64, for a Content-Security-Policy."""
        return self._renderer.style_hash

    @property
    def root(self) -> str:
        """The path of the public address, "" without one: links on the pages begin with it."""
        return self._renderer.root

    def render(self, view: str, language: str, **values: Any) -> str:
        """Return a page as HTML: `view` is a name that the template knows, `language` de or en.

        `values` are the template's variables for this view.
        """
        return self._renderer.render(view, language, **values)
