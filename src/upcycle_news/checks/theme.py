"""Checks the palettes of theme.toml: whether text can be read on every ground it stands on."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from upcycle_news.checks.findings import warning
from upcycle_news.fileio import line_of
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Finding

THEME = "theme.toml"
PALETTES = ("light", "dark")
TEXTS = ("ink", "soft", "accent")
GROUNDS = ("page", "sheet", "tint")
MIN_CONTRAST = 4.5
"""The contrast of text that WCAG 2.2 asks for, 1.4.3 (level AA)."""


def check_theme(theme: Mapping[str, Any], source: str) -> Iterator[Finding]:
    """Yield a warning for each colour of text with too little contrast, at its line in `source`.

    Colours in other notations than ``#rgb`` and ``#rrggbb`` are not judged.
    """
    for palette in PALETTES:
        colours = theme.get(palette)
        if not isinstance(colours, Mapping):
            continue
        for text in TEXTS:
            found = [
                (ratio, ground)
                for ground in GROUNDS
                if (ratio := contrast(colours.get(text), colours.get(ground))) is not None
            ]
            if found and (worst := min(found))[0] < MIN_CONTRAST:
                where = f"templates/{THEME}:{line_of(source, (palette, text)) or 1}"
                yield warning(
                    "contrast",
                    where,
                    localized(
                        "contrast",
                        colour=text,
                        ground=worst[1],
                        palette=palette,
                        ratio=worst[0],
                        limit=MIN_CONTRAST,
                    ),
                )


def contrast(first: object, second: object) -> float | None:
    """Return the contrast of two colours, 1 to 21 (WCAG 2.2, contrast ratio); None for an unknown notation."""
    values = luminance(first), luminance(second)
    if values[0] is None or values[1] is None:
        return None
    darker, lighter = sorted(value for value in values if value is not None)
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: object) -> float | None:
    """Return the relative luminance of ``#rgb`` or ``#rrggbb``, 0 to 1; None for another notation."""
    text = colour.strip() if isinstance(colour, str) else ""
    if re.fullmatch(r"#[0-9a-fA-F]{3}", text):
        text = "#" + "".join(2 * digit for digit in text[1:])
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        return None
    red, green, blue = (_linear(int(text[start : start + 2], 16) / 255) for start in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)
