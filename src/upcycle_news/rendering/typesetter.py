"""Typography of the lines that templates print, with a publication's own quotation marks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from upcycle_news.errors import TemplateError
from upcycle_news.i18n.messages import localized
from upcycle_news.rendering.template_strings import catalogue_name, read_toml
from upcycle_news.text.typography import base_language, typeset

KEY = "quotation_marks"
"""The key of a catalogue ``texts.*.toml``: the outer pair, then the inner one, such as ``»«›‹``."""


@dataclass(frozen=True)
class Typesetter:
    """Sets texts; `marks` are the quotation marks of the publication by language."""

    marks: Mapping[str, str]

    def __call__(self, text: str, language: str) -> str:
        """Return a title or another line of plain text, set."""
        return typeset(text, language, self.marks_of(language))

    def marks_of(self, language: str) -> str:
        """Return the quotation marks for a language, empty where the publication names none."""
        return self.marks.get(base_language(language), "")


def read_typesetter(templates: Mapping[str, str]) -> Typesetter:
    """Return the typesetter of a publication's templates; raises `TemplateError` for wrong marks."""
    marks: dict[str, str] = {}
    for path in templates:
        if match := re.fullmatch(r"texts\.(\w+)\.toml", path):
            written = str(read_toml(templates, path).get(KEY, ""))
            if written and len(written) != 4:
                where = f"templates/{catalogue_name(match[1])}"
                raise TemplateError(where, None, localized("words-quotation-marks", marks=written))
            marks[match[1]] = written
    return Typesetter(marks)
