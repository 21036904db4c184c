"""Checks the colours that readers see together: each text on each ground where it occurs, light and dark.

The templates are filled once with a colour of its own for each name of the theme, so that every pair in the
finished mails and pages leads back to its names; a button's own colours stay what they are.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from upcycle_news.checks.colour_pairs import colour_pairs
from upcycle_news.checks.findings import warning
from upcycle_news.checks.specimen import specimen
from upcycle_news.fileio import line_of
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import Finding
from upcycle_news.rendering.render import HTML_TEMPLATE
from upcycle_news.rendering.theme import LOOK_THEME, THEME, read_theme, theme_toml
from upcycle_news.text.colours import MIN_CONTRAST, channels, contrast, nearest_readable

PALETTES = ("light", "dark")
GROUNDS = ("page", "sheet", "tint")
_FILLS = {"fill": ("accent", "fill"), "on_fill": ("sheet", "ink", "on_fill")}
"""Colours that mostly follow from others, and from which; what is wrong is wrong there."""

_PIECES = 4  # names of pieces in a sentence


@dataclass(frozen=True)
class _Colour:
    """A colour as readers see it, and its name in a palette; a template's own has neither."""

    value: str
    palette: str = ""
    name: str = ""

    @property
    def shown(self) -> str:
        return self.name or self.value


@dataclass
class _Meetings:
    """Where a colour meets others: those, and the pieces with too little contrast by the other's.

    `page` is the name of the first page or mail with a weak one.
    """

    page: str = ""
    others: dict[_Colour, None] = field(default_factory=dict)
    weak: dict[_Colour, dict[str, None]] = field(default_factory=dict)


def check_colours(templates: Mapping[str, str]) -> Iterator[Finding]:
    """Yield a warning for each colour with too little contrast where it occurs, with the nearest that holds.

    What is no colour by itself (``inherit``, ``rgba`` with glass) is not judged. Raises `TemplateError` for a
    theme that cannot be read.
    """
    found = _meetings(templates)
    light = read_theme(templates)["light"]
    # An accent that is the ground of buttons, too: there the house's colour may stay as it is.
    house = _Colour(str(light.get("fill")).strip().lower(), "light", "accent")
    for (colour, shade), meetings in found.items():
        by_day = found.get((colour, "light"))
        # A template's own colours are the same in the dark: that is said once.
        again = shade == "dark" and by_day is not None and meetings.weak == by_day.weak
        if not meetings.weak or again:
            continue
        worst = min(meetings.weak, key=lambda other: contrast(colour.value, other.value) or 0.0)
        proposal = nearest_readable(colour.value, [other.value for other in meetings.others])
        pieces = dict.fromkeys(piece for found in meetings.weak.values() for piece in found)
        text = localized(
            "contrast",
            colour=colour.shown,
            ground=worst.shown,
            shade=localized("contrast-dark") if shade == "dark" else localized("contrast-light"),
            ratio=contrast(colour.value, worst.value),
            limit=MIN_CONTRAST,
            pieces=tuple(list(pieces)[:_PIECES]),
            cure=_cure(proposal, worst, given=colour.value if colour == house else ""),
        )
        yield warning("contrast", _place(colour, meetings.page, templates), text)


def _cure(proposal: str | None, ground: _Colour, *, given: str) -> LocalizedText:
    """Return what helps against a colour; `given` is what may stay on buttons, or empty."""
    if proposal is None:
        return localized("contrast-none", ground=ground.shown)
    if given:
        return localized("contrast-nearest-accent", colour=proposal, given=given)
    return localized("contrast-nearest", colour=proposal)


def _meetings(templates: Mapping[str, str]) -> dict[tuple[_Colour, str], _Meetings]:
    """Return which colours meet which, in the light and in the dark."""
    marked, named = _marked(read_theme(templates))
    filled = {name: text for name, text in templates.items() if name != LOOK_THEME}
    language = min(
        (name.split(".")[1] for name in templates if name.startswith("texts.")), default="de"
    )
    found: dict[tuple[_Colour, str], _Meetings] = {}
    for page in specimen({**filled, THEME: theme_toml(marked)}, language):
        for shade in PALETTES:
            for pair in colour_pairs(page.html, page.style, dark=shade == "dark"):
                text, ground = (
                    named.get(value, _Colour(value)) for value in (pair.text, pair.ground)
                )
                subject, other = (ground, text) if _is_ground(text, ground) else (text, ground)
                ratio = contrast(subject.value, other.value)
                if ratio is None:
                    continue
                meetings = found.setdefault((subject, subject.palette or shade), _Meetings())
                meetings.others[other] = None
                if ratio < MIN_CONTRAST:
                    meetings.page = meetings.page or page.name
                    meetings.weak.setdefault(other, {})[pair.piece] = None
    return found


def _is_ground(text: _Colour, ground: _Colour) -> bool:
    """Return whether the ground is what to change: a button has a text of the sheet's colour."""
    return text.name in (*GROUNDS, "ink", "on_fill") and ground.name not in (*GROUNDS, "")


def _marked(theme: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, _Colour]]:
    """Return a theme with a colour of its own for each name, and what each of these stands for."""
    marked = dict(theme)
    named: dict[str, _Colour] = {}
    for palette in PALETTES:
        colours = theme.get(palette)
        if not isinstance(colours, Mapping):
            continue
        marked[palette] = dict(colours)
        for name, value in sorted(colours.items(), key=lambda item: item[0] in _FILLS):
            if (same := _same_mark(name, value, theme, marked, named)) is not None:
                marked[palette][name] = same
            elif channels(value) is not None:
                mark = f"#fa{len(named):04x}"
                named[mark] = _Colour(value.strip().lower(), palette, name)
                marked[palette][name] = mark
    return marked, named


def _same_mark(
    name: str,
    value: object,
    theme: Mapping[str, Any],
    marked: Mapping[str, Any],
    named: Collection[str],
) -> str | None:
    """Return the mark of the colour that one of `_FILLS` follows; None for another and for one of its own."""
    for source in _FILLS.get(name, ()):
        for palette in PALETTES:
            mark = marked[palette].get(source)
            if theme[palette].get(source) == value and mark in named:
                return str(mark)
    return None


def _place(colour: _Colour, page: str, templates: Mapping[str, str]) -> str:
    """Return file and line of a colour: in the theme, or where a template of such a page names it first."""
    if colour.name:
        source = templates[THEME]
        # What follows from the light palette has no line of its own.
        palettes = (colour.palette, "light")
        lines = (line_of(source, (palette, colour.name)) for palette in palettes)
        return f"templates/{THEME}:{next(filter(None, lines), 1)}"
    for name, text in templates.items():
        if _page_of(name) != page:
            continue
        for number, line in enumerate(text.lower().split("\n"), 1):
            if colour.value in line:
                return f"templates/{name}:{number}"
    return f"templates/{HTML_TEMPLATE}"


def _page_of(name: str) -> str:
    """Return which kind of page a template is for, as `specimen` names them."""
    if name.startswith("archive/"):
        return "archive"
    return "pages" if name.startswith(("page.", "look-pages.")) else "mail"
