"""The looks that come with the program, and a publication's own templates on top of one."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping
from functools import cache, lru_cache
from pathlib import Path

from upcycle_news.rendering.template_strings import CATALOGUES
from upcycle_news.rendering.templates import load_templates, read_templates
from upcycle_news.rendering.theme import LOOK_THEME, THEME
from upcycle_news.scaffold.layout import BUNDLED_LOOK, LOOKS, bundled_publication


def look_files(look: str) -> dict[str, str]:
    """Return what a look has instead of the bundled templates, its theme in any case."""
    if look == BUNDLED_LOOK:
        return {THEME: bundled_templates()[THEME]}
    return read_templates(bundled_publication() / LOOKS / look)


@cache
def bundled_templates() -> Mapping[str, str]:
    """Return the templates that come with the program."""
    return load_templates(bundled_publication() / "templates")


def templates_with_look(folder: Path, look: str) -> dict[str, str]:
    """Return the templates below `folder`, and those of the look for what it does not have.

    Of theme and words the publication's own count, and the others are there, too. Raises `TemplateError` for
    a file that cannot be read.
    """
    of_look, bundled = look_files(look), bundled_templates()
    own = read_templates(folder) if folder.is_dir() else {}
    templates = {**bundled, **of_look, **own}
    templates[THEME], templates[LOOK_THEME] = own.get(THEME, ""), of_look[THEME]
    for name in templates:
        if CATALOGUES.fullmatch(name) and name in own and name in bundled:
            templates[name] = with_missing_words(own[name], bundled[name])
    return dict(sorted(templates.items()))


@lru_cache(maxsize=16)  # every sign-up needs the same words
def with_missing_words(own: str, bundled: str) -> str:
    """Return a catalogue with the words that it lacks of another; one with a mistake as it is."""
    try:
        known = tomllib.loads(own)
    except tomllib.TOMLDecodeError:
        return own  # whoever reads it names the line
    missing = {key: word for key, word in tomllib.loads(bundled).items() if key not in known}
    # A string of JSON is one of TOML. Before the own ones, which may end in a table.
    lines = [f"{key} = {json.dumps(word, ensure_ascii=False)}\n" for key, word in missing.items()]
    return "".join(lines) + own
