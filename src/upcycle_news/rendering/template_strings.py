"""The strings of templates in the issue's language: catalogues ``texts.*.toml``, and dates."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from functools import lru_cache
from typing import Any

from upcycle_news.errors import TemplateError
from upcycle_news.fileio import toml_error
from upcycle_news.i18n.messages import localized
from upcycle_news.text.typography import base_language, insert_no_break_spaces


@dataclass(frozen=True)
class TemplateStrings:
    """The strings of one language, ``templates/texts.de.toml``; templates call it as `t`."""

    language: str
    catalogue: Mapping[str, str]

    @property
    def where(self) -> str:
        """The catalogue's file as errors name it."""
        return f"templates/{catalogue_name(self.language)}"

    def __call__(self, key: str, **values: object) -> str:
        """Return the string for `key` with its ``{name}`` values; raises `TemplateError` if unknown."""
        if key not in self.catalogue:
            raise TemplateError(self.where, None, localized("words-unknown", key=key))
        try:
            return insert_no_break_spaces(self.catalogue[key].format(**values), self.language)
        except (KeyError, IndexError, ValueError) as error:
            names = tuple(f"{{{name}}}" for name in values) or localized("words-no-values")
            text = localized("words-unfilled", key=key, reason=str(error), names=names)
            raise TemplateError(self.where, None, text) from error

    def saying(self, key: str, text: str) -> TemplateStrings:
        """Return the same strings with `text`, which has no values, in the place of one of them."""
        literal = text.replace("{", "{{").replace("}", "}}")
        return replace(self, catalogue={**self.catalogue, key: literal})

    def full_date(self, day: date) -> str:
        """Return ``Donnerstag, 26. November 2026``."""
        return self._date(day, "full")

    def long_date(self, day: date) -> str:
        """Return ``26. November 2026``."""
        return self._date(day, "long")

    def month(self, day: date) -> str:
        """Return ``November 2026``."""
        from babel.dates import format_skeleton

        formatted: str = format_skeleton("yMMMM", day, locale=self._locale)
        return formatted

    def date_range(self, first: date, last: date) -> str:
        """Return ``23. bis 29. November 2026``; the string ``until`` stands between the days."""
        from babel import Locale
        from babel.dates import parse_pattern

        locale, differs = Locale.parse(self._locale), "d"
        if first.year != last.year:
            differs = "y"
        elif first.month != last.month:
            differs = "M"
        parts = zip((first, last), locale.interval_formats["yMMMd"][differs], strict=True)
        formatted = "".join(
            parse_pattern(part.replace("MMM", "MMMM")).apply(day, locale) for day, part in parts
        )
        return _bound(re.sub(r"\s*\u2013\s*", f" {self('until')} ", formatted))

    @property
    def _locale(self) -> str:
        return self.language.replace("-", "_")

    def _date(self, day: date, form: str) -> str:
        from babel.dates import format_date

        return _bound(format_date(day, form, locale=self._locale))


def _bound(day: str) -> str:
    """Return a date in words whose lines do not end after ``26.``."""
    return re.sub(r"(?<=\d\.) (?=\w)", "\u00a0", day)


CATALOGUES = re.compile(r"texts\.(\w+)\.toml")
"""The names of catalogues, with their language."""


def catalogue_name(language: str) -> str:
    """Return the path of a language's catalogue below templates/."""
    return f"texts.{base_language(language)}.toml"


def read_template_strings(templates: Mapping[str, str], language: str) -> TemplateStrings:
    """Return the strings of a language; raises `TemplateError` when there is no catalogue."""
    name = catalogue_name(language)
    if name not in templates:
        known = sorted(match[1] for path in templates if (match := CATALOGUES.fullmatch(path)))
        raise TemplateError(
            f"templates/{name}",
            None,
            localized("words-no-language", known=tuple(known) or "–"),
        )
    catalogue = read_toml(templates, name)
    return TemplateStrings(language, {key: str(value) for key, value in catalogue.items()})


def read_toml(templates: Mapping[str, str], name: str) -> dict[str, Any]:
    """Return the contents of a TOML file among the templates; raises `TemplateError` at its line."""
    if name not in templates:
        raise TemplateError(f"templates/{name}", None, localized("template-missing"))
    try:
        return dict(_parsed(templates[name]))
    except tomllib.TOMLDecodeError as error:
        line, what = toml_error(error, templates[name])
        raise TemplateError(
            f"templates/{name}", line, localized("theme-broken", reason=what)
        ) from error


@lru_cache(maxsize=16)
def _parsed(text: str) -> dict[str, Any]:
    """Return the contents of TOML; cached, as an archive asks for the same words on every page."""
    return tomllib.loads(text)
