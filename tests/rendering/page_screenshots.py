"""A headless Chromium for tests: layout measures and screenshots of a page, light or dark."""

from __future__ import annotations

import re
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from pathlib import Path

from ..web.browser_session import Page, browsing, missing

NODE_MODULES = Path(__file__).parents[2] / "tools" / "node" / "node_modules"

_SCRIPT = """
[...document.querySelectorAll('iframe')].map(frame => {
  const page = frame.contentDocument, root = page.documentElement;
  return {
    width: frame.clientWidth,
    scroll: root.scrollWidth,
    client: root.clientWidth,
    height: root.scrollHeight,
    text: page.body.innerText,
    ground: getComputedStyle(page.querySelector('.sheet') || page.body).backgroundColor,
    ink: getComputedStyle(page.querySelector('h1') || page.body).color,
  };
})
"""


@dataclass(frozen=True)
class Measure:
    """A page as laid out: sizes in CSS pixels, the text that is visible, two colours."""

    width: int
    scroll: int
    client: int
    height: int
    text: str
    ground: str
    ink: str


def node_tool(path: str) -> Path:
    """Return a file of the tools in tools/node; calls `missing` when it does not exist."""
    file = NODE_MODULES / path
    if not file.exists():
        missing(f"no {path} here (cd tools/node && npm ci)")
    return file


def axe(html: str, *, dark: bool = False, width: int = 700) -> list[str]:
    """Return axe-core's violations in a page: rule, help text and an element, a line for each.

    The two rules about landmarks are for web pages: a mail is shown inside one that has them.
    """
    source = node_tool("axe-core/axe.min.js").read_text(encoding="utf-8")
    with _shown(html, dark=dark, width=width) as page:
        page.run(f"{source};0")
        result = page.run(_AXE)
    assert result["passes"] > 10, "axe-core checked nothing"
    return [f"{row['id']}: {row['help']}: {row['html']}" for row in result["violations"]]


_AXE = """
axe.run({rules: {region: {enabled: false}, 'landmark-one-main': {enabled: false}}}).then(result => ({
  passes: result.passes.length,
  violations: result.violations.map(v => ({id: v.id, help: v.help, html: v.nodes[0].html})),
}))
"""


def measure(html: str, *, widths: tuple[int, ...], dark: bool) -> list[Measure]:
    """Return the layout of a page at several widths, in frames: windows have a minimum width."""
    frames = "".join(
        f'<iframe width="{width}" height="800" style="border:0" srcdoc="{escape(html)}"></iframe>'
        for width in widths
    )
    with _shown(_wrapper(frames), dark=dark) as page:
        return [Measure(**values) for values in page.run(_SCRIPT)]


_LINKS = """
[...document.querySelectorAll('a')].map(link => {
  let under = link;
  while (getComputedStyle(under).backgroundColor === 'rgba(0, 0, 0, 0)') under = under.parentElement;
  return [link.textContent, getComputedStyle(link).color, getComputedStyle(under).backgroundColor];
})
"""


def link_contrasts(html: str, *, dark: bool) -> dict[str, float]:
    """Return the contrast of each link of a page with the ground below it, by its text (WCAG 2.2)."""
    with _shown(html, dark=dark) as page:
        return {text: _contrast(ink, ground) for text, ink, ground in page.run(_LINKS)}


def _contrast(*colours: str) -> float:
    """Return the contrast ratio of two colours, ``rgb(1, 2, 3)`` (WCAG 2.2, 1.4.3)."""
    lights = []
    for colour in colours:
        parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
        linear = [
            part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        ]
        lights.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    return (max(lights) + 0.05) / (min(lights) + 0.05)


def screenshot(html: str, target: Path, *, width: int, height: int, dark: bool) -> None:
    """Write a PNG screenshot of a page at this width."""
    frame = (
        f'<iframe width="{width}" height="{height}" style="border:0;display:block" '
        f'srcdoc="{escape(html)}"></iframe>'
    )
    with _shown(_wrapper(frame), dark=dark, width=max(width, 500), height=height) as page:
        page.picture(target)


def _wrapper(content: str) -> str:
    scheme = '<meta name="color-scheme" content="light dark">'
    return f'<!doctype html><meta charset="utf-8">{scheme}<body style="margin:0">{content}'


@contextmanager
def _shown(html: str, *, dark: bool, width: int = 800, height: int = 1200) -> Iterator[Page]:
    """A tab with this page, loaded."""
    with (
        tempfile.NamedTemporaryFile(mode="w", suffix=".html", encoding="utf-8") as file,
        browsing() as page,
    ):
        file.write(html)
        file.flush()
        page.look(width=width, height=height, dark=dark)
        page.open(Path(file.name).as_uri())
        yield page
