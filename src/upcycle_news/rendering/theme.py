"""The theme that templates see: theme.toml, over that of the look, with a dark palette in any case."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from upcycle_news.rendering.images import COLUMN_WIDTH
from upcycle_news.rendering.template_strings import read_toml
from upcycle_news.text.colours import MIN_CONTRAST, contrast, dark_palette
from upcycle_news.text.image_paths import image_path

THEME = "theme.toml"

LOOK_THEME = "look.toml"
"""The theme of the publication's look, under this name among its templates; none without a look."""


DEFAULTS: Mapping[str, Any] = {
    "logo": {"light": "", "dark": "", "width": 180},
    "masthead": {"align": "left", "picture": "", "picture_alt": ""},
    "mail": {"contents_from": 5, "teaser_pictures": "large", "forwarded": False},
}
"""What holds where neither theme.toml nor a look says anything: nothing is shown but the name."""


_PIXELS = re.compile(r"([1-9]\d{0,3})(?:px)?")


def theme_pictures(theme: Mapping[str, Any]) -> dict[tuple[str, str], str]:
    """Return the pictures that a theme names, paths below content/images, by table and key."""
    places = (("logo", "light"), ("logo", "dark"), ("masthead", "picture"))
    named = {(table, key): image_path(str(theme[table][key])) for table, key in places}
    return {place: path for place, path in named.items() if path}


def logo_width(theme: Mapping[str, Any]) -> int:
    """Return the width of the logo in CSS pixels, ``180`` or ``"180px"``, at most that of the column."""
    match = _PIXELS.fullmatch(str(theme["logo"]["width"]))
    return min(int(match[1]) if match else COLUMN_WIDTH, COLUMN_WIDTH - 1)


def is_pixels(value: object) -> bool:
    """Return whether a value of the theme is a number of CSS pixels, ``180`` or ``"180px"``."""
    return not isinstance(value, bool) and _PIXELS.fullmatch(str(value)) is not None


def read_theme(templates: Mapping[str, str]) -> dict[str, Any]:
    """Return the theme; raises `TemplateError` at the line of a mistake in it.

    A colour for the dark that is not given follows from the light one. That of the look counts as given while
    the publication has not changed the light one.
    """
    own = read_toml(templates, THEME)
    look = read_toml(templates, LOOK_THEME) if LOOK_THEME in templates else {}
    theme = merged_themes(DEFAULTS, merged_themes(look, own))
    light = _colours(theme, "light")
    unchanged = {
        name: colour
        for name, colour in _colours(look, "dark").items()
        if light.get(name) == _colours(look, "light").get(name)
    }
    dark = dark_palette(light, unchanged | _colours(own, "dark"))
    theme["light"], theme["dark"] = fill_colours(light, dark)
    return theme


def fill_colours(
    light: Mapping[str, Any], dark: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the palettes with `fill`, the ground of buttons and bands, and `on_fill`, the text on it.

    A `fill` that is not given is the accent, below the sheet's colour. One that is given stays in the dark, and has
    the text that is read better: of the sheet's colour or, where that has too little contrast, of the ink's.
    """
    if "fill" not in light:
        lit, unlit = (
            {"fill": colours.get("accent"), "on_fill": colours.get("sheet"), **colours}
            for colours in (light, dark)
        )
        return lit, unlit
    fill, texts = light["fill"], (light.get("sheet"), light.get("ink"))
    ratios = [contrast(text, fill) or 0.0 for text in texts]
    chosen = texts[ratios[0] < MIN_CONTRAST and ratios[1] > ratios[0]]
    lit = {"on_fill": chosen, **light}
    return lit, {**dark, "fill": fill, "on_fill": lit["on_fill"]}


def theme_toml(table: Mapping[str, Any], path: tuple[str, ...] = ()) -> str:
    """Return a table as TOML; a text of JSON is one of TOML."""
    lines = [f"[{'.'.join(map(json.dumps, path))}]"] if path else []
    lines += [
        f"{json.dumps(name)} = {json.dumps(value, default=str)}"
        for name, value in table.items()
        if not isinstance(value, Mapping)
    ]
    lines += [
        theme_toml(value, (*path, name))
        for name, value in table.items()
        if isinstance(value, Mapping)
    ]
    return "\n".join(lines)


def merged_themes(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return two tables as one; what `above` says counts, tables inside are merged."""
    merged = {**below, **above}
    for name in below.keys() & above.keys():
        if isinstance(below[name], Mapping) and isinstance(above[name], Mapping):
            merged[name] = merged_themes(below[name], above[name])
    return merged


def _colours(theme: Mapping[str, Any], palette: str) -> dict[str, Any]:
    colours = theme.get(palette)
    return dict(colours) if isinstance(colours, Mapping) else {}
