"""The templates of the web pages: the publication's own, and the bundled ones for what it lacks.

A publication that an older version laid out has neither the words nor the view of a page that is new since.
"""

from __future__ import annotations

from collections.abc import Mapping

from upcycle_news.i18n.messages import LANGUAGES
from upcycle_news.rendering.subscriber_pages import BUNDLED, NEWER_VIEWS, TEMPLATE
from upcycle_news.rendering.template_strings import catalogue_name
from upcycle_news.scaffold.looks import bundled_templates, with_missing_words


def complete_page_templates(own: Mapping[str, str]) -> dict[str, str]:
    """Return the templates of a publication, complete for all web pages; what is there stays as it is."""
    bundled = bundled_templates()
    missing = {
        name: with_missing_words(own[name], bundled[name])
        for name in map(catalogue_name, LANGUAGES)
        if name in own
    }
    if any(f'"{view}"' not in own.get(TEMPLATE, "") for view in NEWER_VIEWS):
        missing[BUNDLED] = bundled[TEMPLATE]
    return {**own, **missing}
