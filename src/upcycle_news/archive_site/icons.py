"""The picture of a site in a tab, and the one that a shared link shows: the publication's own, or drawn."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from html import escape
from typing import Any

from upcycle_news.archive_site.view_models import IconView, RelativeLinks

DRAWN = "favicon.svg"
"""The icon that is drawn where a publication has none of its own."""

_ICONS = {
    DRAWN: ("icon", "image/svg+xml"),
    "favicon.png": ("icon", "image/png"),
    "favicon.ico": ("icon", "image/x-icon"),
    "apple-touch-icon.png": ("apple-touch-icon", "image/png"),
}
_SHARED = ("opengraph.png", "opengraph.jpg")


def drawn_icon(name: str, theme: Mapping[str, Any]) -> bytes:
    """Return an icon as SVG: the first letter of the publication's name on its accent colour.

    Colours are attributes: the archive's policy allows no style of a picture's own.
    """
    letter = next((character for character in name if character.isalnum()), "•").upper()
    ground, ink = escape(str(theme["light"]["accent"])), escape(str(theme["light"]["sheet"]))
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 32 32">\n'
        f'<rect width="32" height="32" rx="6" fill="{ground}"/>\n'
        '<text x="16" y="23" font-family="Georgia, serif" font-size="21" font-weight="bold" '
        f'text-anchor="middle" fill="{ink}">{escape(letter)}</text>\n'
        "</svg>\n"
    ).encode()


def has_own_icon(static: Collection[str]) -> bool:
    """Tell whether the publication has an icon for tabs among its own files."""
    return any(name in static for name, (kind, _) in _ICONS.items() if kind == "icon")


def icon_links(static: Collection[str], links: RelativeLinks) -> tuple[IconView, ...]:
    """Return the icons of a page: the publication's own, or the drawn one beside what else there is."""
    names = [
        name for name in _ICONS if name in static or (name == DRAWN and not has_own_icon(static))
    ]
    return tuple(IconView(_ICONS[name][0], links.to(name), _ICONS[name][1]) for name in names)


def shared_picture(static: Collection[str]) -> str:
    """Return the path of the picture for links to pages that have none, empty if there is none."""
    return next((name for name in _SHARED if name in static), "")


def shown_names(static: Collection[str]) -> list[str]:
    """Return which of a publication's own files every page names: its icons, its picture for links."""
    return [name for name in (*_ICONS, *_SHARED) if name in static]
