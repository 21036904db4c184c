"""A headless Chromium for tests: layout measures and screenshots of a page, light or dark."""

from __future__ import annotations

import json
import os
import re
import subprocess
import tempfile
from dataclasses import dataclass
from functools import cache
from html import escape, unescape
from pathlib import Path
from typing import NoReturn

import pytest

from upcycle_news.services.browser.chromium import find_chromium

NODE_MODULES = Path(__file__).parents[2] / "tools" / "node" / "node_modules"

FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--hide-scrollbars", "--host-resolver-rules=MAP * ~NOTFOUND",
)  # fmt: skip

_SCRIPT = """
addEventListener('load', () => {
  const all = [...document.querySelectorAll('iframe')].map(frame => {
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
  });
  const out = document.createElement('pre');
  out.id = 'measures';
  out.textContent = JSON.stringify(all);
  document.body.append(out);
});
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


@cache
def chromium() -> str:
    """Return the path of the browser; calls `missing` when there is none."""
    return find_chromium() or missing("no Chromium here (apt-get install chromium)")


def missing(reason: str) -> NoReturn:
    """Skip the test, or fail it where CI has installed everything (UPCYCLE_REQUIRE_TOOLS)."""
    if os.environ.get("UPCYCLE_REQUIRE_TOOLS"):
        pytest.fail(f"a tool is missing that CI must have: {reason}")
    pytest.skip(reason)


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
    source = node_tool("axe-core/axe.min.js").as_uri()
    script = f'<script src="{source}"></script><script>{_AXE}</script>'
    page = html.replace("</body>", f"{script}</body>", 1)
    assert script in page
    dom = _run(
        page, dark, f"--window-size={width},1200", "--virtual-time-budget=20000", "--dump-dom"
    )
    match = re.search(r'<pre id="axe">(.*?)</pre>', dom.decode(), re.DOTALL)
    assert match is not None, "axe-core gave no result"
    result = json.loads(unescape(match[1]))
    assert result["passes"] > 10, "axe-core checked nothing"
    return [f"{row['id']}: {row['help']}: {row['html']}" for row in result["violations"]]


_AXE = """
axe.run({rules: {region: {enabled: false}, 'landmark-one-main': {enabled: false}}}).then(result => {
  const out = document.createElement('pre');
  out.id = 'axe';
  out.textContent = JSON.stringify({
    passes: result.passes.length,
    violations: result.violations.map(v => ({id: v.id, help: v.help, html: v.nodes[0].html})),
  });
  document.body.append(out);
});
"""


def measure(html: str, *, widths: tuple[int, ...], dark: bool) -> list[Measure]:
    """Return the layout of a page at several widths, in frames: windows have a minimum width."""
    frames = "".join(
        f'<iframe width="{width}" height="800" style="border:0" srcdoc="{escape(html)}"></iframe>'
        for width in widths
    )
    page = _wrapper(f"{frames}<script>{_SCRIPT}</script>")
    dom = _run(page, dark, "--virtual-time-budget=4000", "--dump-dom").decode()
    match = re.search(r'<pre id="measures">(.*?)</pre>', dom, re.DOTALL)
    assert match is not None, "the browser measured nothing"
    return [Measure(**values) for values in json.loads(unescape(match[1]))]


_LINKS = """
addEventListener('load', () => {
  const links = [...document.querySelectorAll('a')].map(link => {
    let under = link;
    while (getComputedStyle(under).backgroundColor === 'rgba(0, 0, 0, 0)') under = under.parentElement;
    return [link.textContent, getComputedStyle(link).color, getComputedStyle(under).backgroundColor];
  });
  const out = document.createElement('pre');
  out.id = 'links';
  out.textContent = JSON.stringify(links);
  document.body.append(out);
});
"""


def link_contrasts(html: str, *, dark: bool) -> dict[str, float]:
    """Return the contrast of each link of a page with the ground below it, by its text (WCAG 2.2)."""
    page = html.replace("</body>", f"<script>{_LINKS}</script></body>", 1)
    dom = _run(page, dark, "--virtual-time-budget=4000", "--dump-dom").decode()
    match = re.search(r'<pre id="links">(.*?)</pre>', dom, re.DOTALL)
    assert match is not None, "the browser measured nothing"
    return {text: _contrast(ink, ground) for text, ink, ground in json.loads(unescape(match[1]))}


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
    size = f"--window-size={max(width, 500)},{height}"
    _run(_wrapper(frame), dark, size, f"--screenshot={target}")


def _wrapper(content: str) -> str:
    scheme = '<meta name="color-scheme" content="light dark">'
    return f'<!doctype html><meta charset="utf-8">{scheme}<body style="margin:0">{content}'


def _run(page: str, dark: bool, *arguments: str) -> bytes:
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        file = Path(folder) / "page.html"
        file.write_text(page, encoding="utf-8")
        command = (
            chromium(),
            *FLAGS,
            f"--user-data-dir={folder}/profile",
            f"--blink-settings=preferredColorScheme={0 if dark else 1}",
            *arguments,
            file.as_uri(),
        )
        process = subprocess.run(command, capture_output=True, timeout=60, check=True)
        return process.stdout
