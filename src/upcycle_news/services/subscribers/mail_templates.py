"""The templates of mails to a single reader: the publication's own, and the bundled ones for what it lacks.

A publication that an older version laid out has no template for a mail that is new since. Readers would ask
in vain then, and nobody would see it.
"""

from __future__ import annotations

from collections.abc import Mapping

from upcycle_news.models import ConfirmationMailKind
from upcycle_news.rendering.template_strings import catalogue_name
from upcycle_news.scaffold.looks import bundled_templates, with_missing_words

TEMPLATES = {
    ConfirmationMailKind.SIGN_UP: "confirm",
    ConfirmationMailKind.LIST: "list_confirm",
    ConfirmationMailKind.CHANGE: "address_confirm",
    ConfirmationMailKind.CHANGED: "address_changed",
}
"""The name of each mail's templates, ``NAME.mjml`` and ``NAME.txt``."""


def complete_mail_templates(own: Mapping[str, str], language: str) -> dict[str, str]:
    """Return the templates of a publication, complete for the mails of `TEMPLATES` in one language.

    What is there stays as it is; the bundled templates and words stand for what is missing. A language
    without a catalogue of the publication's own gets none.
    """
    bundled = bundled_templates()
    names = [f"{name}.{part}" for name in TEMPLATES.values() for part in ("mjml", "txt")]
    missing = {name: bundled[name] for name in names if name not in own}
    catalogue = catalogue_name(language)
    if catalogue in own and catalogue in bundled:
        missing[catalogue] = with_missing_words(own[catalogue], bundled[catalogue])
    return {**own, **missing}
