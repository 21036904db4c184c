"""Checks what theme.toml says beside colours: values that the templates take, and keys that are nearly known."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from upcycle_news.checks.findings import error, warning
from upcycle_news.fileio import line_of
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Finding
from upcycle_news.rendering.theme import DEFAULTS, THEME, is_pixels


def _one_of(*values: str) -> tuple[Callable[[Any], bool], str]:
    return lambda value: value in values, ", ".join(f'"{value}"' for value in values)


_VALUES: Mapping[tuple[str, str], tuple[Callable[[Any], bool], str]] = {
    ("logo", "width"): (is_pixels, "180"),
    ("masthead", "align"): _one_of("left", "center"),
    ("mail", "teaser_pictures"): _one_of("large", "small", "none"),
    ("mail", "contents_from"): (lambda value: type(value) is int and value >= 0, "0, 1, 2 …"),
    ("mail", "forwarded"): (lambda value: isinstance(value, bool), "true, false"),
}
"""What a value has to be, and how that is said."""


def check_theme_values(theme: Mapping[str, Any], source: str) -> Iterator[Finding]:
    """Yield an error for each value that no template takes, and a warning for a key that is misspelt."""
    for table, defaults in DEFAULTS.items():
        given = theme[table]
        for key in given.keys() - defaults.keys() - {"sections"}:
            if close := get_close_matches(key, defaults, n=1):
                text = localized("theme-key", key=key, meant=close[0])
                yield warning("theme-key", _place(source, table, key), text)
        for key in defaults:
            is_right, allowed = _VALUES.get((table, key), (_is_text, '"…"'))
            if not is_right(given[key]):
                text = localized(
                    "theme-value", key=key, value=str(given[key])[:40], allowed=allowed
                )
                yield error("theme-value", _place(source, table, key), text)


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _place(source: str, table: str, key: str) -> str:
    return f"templates/{THEME}:{line_of(source, (table, key)) or 1}"
