"""Checks what theme.toml says beside colours: values that the templates take, and keys that are nearly known."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from typing import Any

from upcycle_news.checks.findings import error, warning
from upcycle_news.fileio import line_of
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Finding
from upcycle_news.rendering.theme import DEFAULTS, THEME, is_pixels
from upcycle_news.text.colours import channels


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

_KEYWORDS = frozenset({"transparent", "inherit", "initial", "unset", "currentcolor"})
_HEX = re.compile(r"#(?:[0-9a-f]{3,4}|[0-9a-f]{6}|[0-9a-f]{8})", re.IGNORECASE)
_FUNCTION = re.compile(r"[a-z-]+\([^;{}<>\"]*\)", re.IGNORECASE)
_LENGTH = re.compile(r"\d+(?:\.\d+)?(?:px|pt|em|rem|%)")
_LINE = re.compile(r"\d+(?:\.\d+)?(?:px|pt|em|rem|%)?")


def _is_colour(value: object) -> bool:
    """Return whether CSS has such a colour; what a function (``oklch(…)``) is given is not looked at."""
    text = value.strip() if isinstance(value, str) else ""
    if text.startswith("#"):
        return _HEX.fullmatch(text) is not None
    if text.lower() in _KEYWORDS or _FUNCTION.fullmatch(text):
        return True
    return channels(text) is not None


def _matches(pattern: re.Pattern[str]) -> Callable[[Any], bool]:
    return lambda value: (
        not isinstance(value, bool) and pattern.fullmatch(str(value).strip()) is not None
    )


def _is_list_of_fonts(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip()) and not set(value) & set(";{}<>")


_EVERY_KEY: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "light": (_is_colour, '"#1d6152"'),
    "dark": (_is_colour, '"#8fcab7"'),
    "size": (_matches(_LENGTH), '"18px"'),
    "line": (_matches(_LINE), '"1.5"'),
    "fonts": (_is_list_of_fonts, "\"Georgia, 'Times New Roman', serif\""),
}
"""What each value of a table has to be: it is written into style sheets as it stands."""


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
    written = tomllib.loads(source)
    for table, (is_right, allowed) in _EVERY_KEY.items():
        values = written.get(table)
        for key, value in values.items() if isinstance(values, Mapping) else ():
            if not is_right(value):
                text = localized("theme-value", key=key, value=str(value)[:40], allowed=allowed)
                yield error("theme-value", _place(source, table, key), text)
    yield from _wrong_sections(theme["mail"].get("sections", []), source)


def _wrong_sections(sections: object, source: str) -> Iterator[Finding]:
    """Yield an error where the sections of the mail are no list of names, or one is named twice."""
    place = _place(source, "mail", "sections")
    if not isinstance(sections, list) or not all(
        isinstance(name, str) and name for name in sections
    ):
        text = localized(
            "theme-value",
            key="sections",
            value=str(sections)[:40],
            allowed='["lead", "teasers", "closing"]',
        )
        yield error("theme-value", place, text)
    elif twice := [name for name, number in Counter(sections).items() if number > 1]:
        yield error("theme-value", place, localized("theme-section-twice", name=twice[0]))


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _place(source: str, table: str, key: str) -> str:
    return f"templates/{THEME}:{line_of(source, (table, key)) or 1}"
