"""The theme that templates see: theme.toml, over that of the look, with a dark palette in any case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from upcycle_news.rendering.template_strings import read_toml
from upcycle_news.text.colours import dark_palette

THEME = "theme.toml"

LOOK_THEME = "look.toml"
"""The theme of the publication's look, under this name among its templates; none without a look."""


def read_theme(templates: Mapping[str, str]) -> dict[str, Any]:
    """Return the theme; raises `TemplateError` at the line of a mistake in it.

    A colour for the dark that is not given follows from the light one. That of the look counts as given while
    the publication has not changed the light one.
    """
    own = read_toml(templates, THEME)
    look = read_toml(templates, LOOK_THEME) if LOOK_THEME in templates else {}
    theme = _merged(look, own)
    light = _colours(theme, "light")
    unchanged = {
        name: colour
        for name, colour in _colours(look, "dark").items()
        if light.get(name) == _colours(look, "light").get(name)
    }
    theme["dark"] = dark_palette(light, unchanged | _colours(own, "dark"))
    return theme


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return two tables as one; what `above` says counts, tables inside are merged."""
    merged = {**below, **above}
    for name in below.keys() & above.keys():
        if isinstance(below[name], Mapping) and isinstance(above[name], Mapping):
            merged[name] = _merged(below[name], above[name])
    return merged


def _colours(theme: Mapping[str, Any], palette: str) -> dict[str, Any]:
    colours = theme.get(palette)
    return dict(colours) if isinstance(colours, Mapping) else {}
