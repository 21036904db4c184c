"""What a screen reader meets in a finished HTML part: its order, the pictures' texts, the languages.

Nothing is judged here that `checks.issue` judges; the report shows it, so that a person can.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html.parser import HTMLParser

_SHOWN = 80  # characters of a heading or an alternative text


@dataclass(frozen=True)
class ReadingStep:
    """A heading (`level` 1 to 6) or a picture (`level` 0, its alternative text), as it is read out."""

    level: int
    text: str


@dataclass
class Outline:
    """The order in which an HTML part is read, its language, and the languages of marked pieces.

    `headings_in_order` is false when a level is left out, or there is not just one of the first level.
    `bare_pictures` counts pictures without an alternative text.
    """

    language: str = ""
    steps: list[ReadingStep] = field(default_factory=list)
    marked: dict[str, int] = field(default_factory=dict)
    bare_pictures: int = 0

    @property
    def headings_in_order(self) -> bool:
        """True if the levels follow one another, beginning with the only one of level 1."""
        levels = [step.level for step in self.steps if step.level]
        follows = all(
            level <= before + 1 for before, level in zip([0, *levels], levels, strict=False)
        )
        return follows and levels.count(1) == 1


def outline_of(html: str) -> Outline:
    """Return the outline of an HTML part; never fails, as mail programs never do."""
    parser = _Parser()
    parser.feed(html)
    parser.close()
    return parser.outline


class _Parser(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.outline = Outline()
        self._heading: tuple[int, list[str]] | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = dict(attrs)
        language = values.get("lang") or ""
        if tag == "html":
            self.outline.language = language
        elif language and language != self.outline.language:
            self.outline.marked[language] = self.outline.marked.get(language, 0) + 1
        if re.fullmatch(r"h[1-6]", tag):
            self._heading = (int(tag[1]), [])
        elif tag == "img":
            alt = " ".join((values.get("alt") or "").split())
            if not alt:
                self.outline.bare_pictures += 1
            elif self._heading is not None:
                self._heading[1].append(alt)
            else:
                self.outline.steps.append(ReadingStep(0, _shortened(alt)))

    def handle_endtag(self, tag: str) -> None:
        if self._heading is not None and tag == f"h{self._heading[0]}":
            level, text = self._heading
            self.outline.steps.append(
                ReadingStep(level, _shortened(" ".join("".join(text).split())))
            )
            self._heading = None

    def handle_data(self, data: str) -> None:
        if self._heading is not None:
            self._heading[1].append(data)


def _shortened(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"
