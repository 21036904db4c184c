"""The templates of mails to a single reader: the publication's own, and the bundled ones for what it lacks.

A publication that an older version laid out has no template for a mail that is new since. Readers would ask
in vain then, and nobody would see it.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from upcycle_news.models import ConfirmationMailKind
from upcycle_news.rendering.template_strings import catalogue_name
from upcycle_news.rendering.templates import load_templates
from upcycle_news.scaffold.layout import bundled_publication

TEMPLATES = {
    ConfirmationMailKind.SIGN_UP: "confirm",
    ConfirmationMailKind.LIST: "list_confirm",
    ConfirmationMailKind.CHANGE: "address_confirm",
    ConfirmationMailKind.CHANGED: "address_changed",
}
"""The name of each mail's templates, ``NAME.mjml`` and ``NAME.txt``."""


def load_mail_templates(folder: Path, language: str) -> dict[str, str]:
    """Return the templates below `folder`, complete for the mails of `TEMPLATES` in one language.

    What is there stays as it is; the bundled templates and words stand for what is missing. A language
    without a catalogue of the publication's own gets none. Raises `TemplateError`, as `load_templates` does.
    """
    own, bundled = load_templates(folder), _bundled()
    names = [f"{name}.{part}" for name in TEMPLATES.values() for part in ("mjml", "txt")]
    missing = {name: bundled[name] for name in names if name not in own}
    catalogue = catalogue_name(language)
    if catalogue in own and catalogue in bundled:
        own[catalogue] = _with_missing_words(own[catalogue], bundled[catalogue])
    return {**own, **missing}


@cache
def _bundled() -> Mapping[str, str]:
    return load_templates(bundled_publication() / "templates")


def _with_missing_words(own: str, bundled: str) -> str:
    """Return a catalogue with the words that it lacks of another; one with a mistake as it is."""
    try:
        known = tomllib.loads(own)
    except tomllib.TOMLDecodeError:
        return own  # whoever reads it names the line
    missing = {key: word for key, word in tomllib.loads(bundled).items() if key not in known}
    # A string of JSON is one of TOML. Before the own ones, which may end in a table.
    lines = [f"{key} = {json.dumps(word, ensure_ascii=False)}\n" for key, word in missing.items()]
    return "".join(lines) + own
