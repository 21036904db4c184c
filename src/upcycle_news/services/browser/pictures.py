"""Pictures of an issue as a phone and a desktop show it, in light and dark."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from upcycle_news.errors import UpcycleError
from upcycle_news.fileio import write_atomically
from upcycle_news.i18n.messages import localized
from upcycle_news.models import RenderedIssue
from upcycle_news.observability.logging import Log
from upcycle_news.rendering.preview_page import standalone_html
from upcycle_news.services.browser.chromium import BrowserError, browsing, find_chromium

log = Log(__name__)

WIDTHS = {"phone": 375, "desktop": 680}
"""By the kind of a view: CSS pixels, as the preview page has them."""

_SMALL = 0.4  # of its size: text is no longer read, what stands where is still seen
_SMALL_HEIGHT = 900  # CSS pixels of the page in a small picture
_WINDOW = 100  # CSS pixels, lower than any issue: its ground fills the window
_SMALL_SECONDS = 20.0  # a form waits for its pictures no longer


def issue_pictures(rendered: RenderedIssue, setting: str) -> Mapping[str, bytes]:
    """Return PNG pictures of the whole issue: phone, phone-dark, desktop and desktop-dark.

    `setting` is `browser.chromium`. Raises `BrowserError`, also when there is no Chromium.
    """
    chromium = find_chromium(setting)
    if chromium is None:
        raise BrowserError(localized("browser-none"))
    html, pictures = standalone_html(rendered), {}
    with browsing(chromium) as browser:
        for kind, width in WIDTHS.items():
            for dark in (False, True):
                browser.show(html, width=width, height=_WINDOW, dark=dark)
                pictures[f"{kind}-dark" if dark else kind] = browser.picture()
    return pictures


def small_pictures(rendered: RenderedIssue, setting: str) -> Mapping[str, bytes]:
    """Return small WebP pictures of the issue's beginning, phone and desktop, a few kB each.

    Empty without a Chromium, and when it fails: what they illustrate does not depend on them.
    """
    html, pictures = standalone_html(rendered), {}
    try:
        if (chromium := find_chromium(setting)) is None:
            return {}
        with browsing(chromium, seconds=_SMALL_SECONDS) as browser:
            for kind, width in WIDTHS.items():
                browser.show(html, width=width, height=_WINDOW)
                pictures[kind] = browser.picture(
                    form="webp", quality=60, scale=_SMALL, max_height=_SMALL_HEIGHT
                )
    except UpcycleError as error:
        log.warning("no pictures of the issue", issue=rendered.issue, why=error)
        return {}
    return pictures


def write_pictures(folder: Path, pictures: Mapping[str, bytes]) -> dict[str, Path]:
    """Write the pictures of an issue beside its issue.html; return their paths by name."""
    files = {name: folder / f"issue-{name}.png" for name in pictures}
    for name, file in files.items():
        write_atomically(file, pictures[name])
    return files


def remove_pictures(folder: Path) -> None:
    """Remove the pictures of an earlier state of the issue."""
    for kind in WIDTHS:
        for name in (kind, f"{kind}-dark"):
            (folder / f"issue-{name}.png").unlink(missing_ok=True)
