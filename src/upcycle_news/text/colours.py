"""Colours: their contrast, the nearest one that can be read, and a palette for the dark.

Contrast is that of WCAG 2.2; nearness is measured in OKLab, where equal distances look equal
(Björn Ottosson, https://bottosson.github.io/posts/oklab/).
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping

MIN_CONTRAST = 4.5
"""The contrast of text that WCAG 2.2 asks for, 1.4.3 (level AA)."""

Lab = tuple[float, float, float]
"""Lightness (0 to 1) and the two colour axes of OKLab."""

_STEPS = 400
"""Lightnesses that a search looks at; a step is smaller than a step of a colour's eight bits."""

_MOST_CHROMA = 0.4
"""No colour of sRGB is more colourful in OKLab."""

_DARK_LIGHTNESS = {
    "page": 0.18, "sheet": 0.23, "tint": 0.27, "rule": 0.37, "ink": 0.92, "soft": 0.73, "accent": 0.79,
}  # fmt: skip
_GROUNDS = ("page", "sheet", "tint")
_GROUND_CHROMA = 0.012
"""Grounds keep a hint of their colour in the dark: more of it would tint the whole screen."""


def channels(colour: object) -> tuple[float, float, float] | None:
    """Return red, green and blue of a colour as CSS 3 writes it, 0 to 1; None for another notation and for glass."""
    text = colour.strip() if isinstance(colour, str) else ""
    if re.fullmatch(r"#[0-9a-fA-F]{3}", text):
        text = "#" + "".join(2 * digit for digit in text[1:])
    if not re.fullmatch(r"#[0-9a-fA-F]{6}", text):
        return _named(text)
    red, green, blue = (int(text[start : start + 2], 16) / 255 for start in (1, 3, 5))
    return red, green, blue


def _named(text: str) -> tuple[float, float, float] | None:
    """Return the channels of ``white``, ``rgb(1, 2, 3)`` and the like; None for what is none or lets light through."""
    from PIL import ImageColor  # late: most commands see no such colour

    try:
        red, green, blue, *alpha = ImageColor.getrgb(text)
    except ValueError:
        return None
    return (red / 255, green / 255, blue / 255) if alpha in ([], [255]) else None


def luminance(colour: object) -> float | None:
    """Return the relative luminance of a colour, 0 to 1; None where `channels` has none."""
    values = channels(colour)
    if values is None:
        return None
    red, green, blue = map(_linear, values)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(first: object, second: object) -> float | None:
    """Return the contrast of two colours, 1 to 21 (WCAG 2.2, contrast ratio); None for an unknown notation."""
    values = luminance(first), luminance(second)
    if values[0] is None or values[1] is None:
        return None
    darker, lighter = sorted(value for value in values if value is not None)
    return (lighter + 0.05) / (darker + 0.05)


def nearest_readable(colour: str, others: Iterable[str], limit: float = MIN_CONTRAST) -> str | None:
    """Return the colour nearest to `colour` that has a contrast of `limit` with each of `others`.

    Hue stays, lightness moves, and colourfulness gives way where a screen cannot show it. None where no
    lightness holds, and for a `colour` in another notation; `others` in another notation do not count.
    """
    values = channels(colour)
    if values is None:
        return None
    given = _oklab(values)
    grounds = [other for other in others if channels(other) is not None]
    chroma, hue = math.hypot(given[1], given[2]), math.atan2(given[2], given[1])
    held = (
        (math.dist(given, _oklab(channels(found) or values)), found)
        for found in {
            colour.strip().lower(),
            *(_shown(step / _STEPS, chroma, hue) for step in range(_STEPS + 1)),
        }
        if all((contrast(found, ground) or 0.0) >= limit for ground in grounds)
    )
    return min(held, default=(0.0, None))[1]


def dark_palette(light: Mapping[str, str], given: Mapping[str, str]) -> dict[str, str]:
    """Return a palette for the dark: what is `given`, and the others each in the hue it has in `light`.

    These texts hold `MIN_CONTRAST` on each ground. A colour in another notation stays as it is.
    """
    dark = {name: _in_the_dark(name, colour) for name, colour in light.items()} | dict(given)
    grounds = [dark[name] for name in _GROUNDS if name in dark]
    for name in {"ink", "soft", "accent"} & dark.keys() - given.keys():
        dark[name] = nearest_readable(dark[name], grounds) or dark[name]
    return dark


def _in_the_dark(name: str, colour: str) -> str:
    values = channels(colour)
    if values is None:
        return colour
    lightness, a, b = _oklab(values)
    chroma = math.hypot(a, b)
    if name in _GROUNDS or name == "rule":
        chroma = min(chroma, _GROUND_CHROMA)
    # A colour of one's own is turned round: what was dark on light paper is light on dark.
    wanted = _DARK_LIGHTNESS.get(name, min(0.92, max(0.2, 1.15 - lightness)))
    return _shown(wanted, chroma, math.atan2(b, a))


def _shown(lightness: float, chroma: float, hue: float) -> str:
    """Return the colour of this lightness and hue (radians), as colourful as sRGB has it up to `chroma`."""
    fits, too_much = 0.0, min(chroma, _MOST_CHROMA)
    found = _rgb(lightness, too_much, hue)
    if _in_gamut(found):
        return _hex(found)
    for _ in range(12):  # halves the range to a ten-thousandth
        middle = (fits + too_much) / 2
        found = _rgb(lightness, middle, hue)
        fits, too_much = (middle, too_much) if _in_gamut(found) else (fits, middle)
    return _hex(_rgb(lightness, fits, hue))


def _in_gamut(linear: Lab) -> bool:
    return all(-0.0001 <= channel <= 1.0001 for channel in linear)


def _hex(linear: Lab) -> str:
    encoded = (_encoded(min(1.0, max(0.0, channel))) for channel in linear)
    return "#" + "".join(f"{round(255 * channel):02x}" for channel in encoded)


def _linear(channel: float) -> float:
    return channel / 12.92 if channel <= 0.04045 else float(((channel + 0.055) / 1.055) ** 2.4)


def _encoded(channel: float) -> float:
    return 12.92 * channel if channel <= 0.0031308 else float(1.055 * channel ** (1 / 2.4) - 0.055)


def _oklab(encoded: tuple[float, float, float]) -> Lab:
    red, green, blue = map(_linear, encoded)
    long = math.cbrt(0.4122214708 * red + 0.5363325363 * green + 0.0514459929 * blue)
    medium = math.cbrt(0.2119034982 * red + 0.6806995451 * green + 0.1073969566 * blue)
    short = math.cbrt(0.0883024619 * red + 0.2817188376 * green + 0.6299787005 * blue)
    return (
        0.2104542553 * long + 0.7936177850 * medium - 0.0040720468 * short,
        1.9779984951 * long - 2.4285922050 * medium + 0.4505937099 * short,
        0.0259040371 * long + 0.7827717662 * medium - 0.8086757660 * short,
    )


def _rgb(lightness: float, chroma: float, hue: float) -> Lab:
    """Return linear red, green and blue, which may lie outside of 0 to 1."""
    a, b = chroma * math.cos(hue), chroma * math.sin(hue)
    long = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3
    medium = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3
    short = (lightness - 0.0894841775 * a - 1.2914855480 * b) ** 3
    return (
        4.0767416621 * long - 3.3077115913 * medium + 0.2309699292 * short,
        -1.2684380046 * long + 2.6097574011 * medium - 0.3413193965 * short,
        -0.0041960863 * long - 0.7034186147 * medium + 1.7076147010 * short,
    )
