"""What the readers of formats hand on: one tree of HTML's elements, and what is told beside it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from upcycle_news.i18n.messages import LocalizedText, localized


@dataclass(frozen=True)
class TextFormat:
    """How a text looks, as far as it matters here."""

    bold: bool = False
    italic: bool = False
    struck: bool = False
    hidden: bool = False
    underlined: bool = False
    highlighted: bool = False
    is_link: bool = False
    height: str = ""
    """``superscript``, ``subscript``, or nothing of these."""


@dataclass
class Losses:
    """What of a manuscript is not carried over: `counts` by kind, `places` with their beginnings."""

    counts: Counter[str] = field(default_factory=Counter)
    places: list[tuple[str, str]] = field(default_factory=list)

    def count(self, kind: str, number: int = 1) -> None:
        """Count something that is left out on purpose, or looks otherwise."""
        if number:
            self.counts[kind] += number

    def at(self, kind: str, text: str) -> None:
        """Note something that is missing beside a text, whose beginning is quoted."""
        words = " ".join(text.split())
        self.places.append((kind, words if len(words) <= 50 else words[:49] + "…"))

    def notes(self) -> tuple[LocalizedText, ...]:
        """Return a sentence for each."""
        missing = {
            "formula": localized("import-missing-formula"),
            "object": localized("import-missing-object"),
            "picture": localized("import-missing-picture"),
            "remote": localized("import-missing-remote"),
            "format": localized("import-missing-format"),
            "text": localized("import-missing-text"),
        }
        notes = [
            localized("import-missing", what=missing[kind], near=near)
            if near
            else localized("import-missing-alone", what=missing[kind])
            for kind, near in self.places
        ]
        for kind, count in self.counts.items():
            notes.append(_counted(kind, count))
        return tuple(notes)


def _counted(kind: str, count: int) -> LocalizedText:
    texts = {
        "comments": localized("import-comments", count=count),
        "changes": localized("import-changes", count=count),
        "hidden": localized("import-hidden", count=count),
        "underlined": localized("import-underlined", count=count),
        "highlighted": localized("import-highlighted", count=count),
        "header": localized("import-header", count=count),
        "contents": localized("import-contents", count=count),
        "labels": localized("import-labels", count=count),
        "links": localized("import-links", count=count),
        "raised": localized("import-raised", count=count),
        "emphasis": localized("import-emphasis", count=count),
        "tables": localized("import-tables", count=count),
        "navigation": localized("import-navigation", count=count),
        "undescribed": localized("import-undescribed", count=count),
        "cropped": localized("import-cropped", count=count),
    }
    return texts[kind]


@dataclass
class Document:
    """A manuscript as a tree: `body` is an lxml element with HTML's elements below it.

    Two attributes say more than HTML: ``value`` of a list item is its number, ``class`` of a paragraph
    may be ``title`` or ``caption``. An element ``note`` holds a footnote where it is referred to. The
    ``src`` of an ``img`` is a key of `pictures`. `language` is as the file declares it.
    """

    body: Any
    losses: Losses
    title: str = ""
    author: str = ""
    language: str = ""
    pictures: dict[str, bytes] = field(default_factory=dict)
