"""Write docs/images: six different issues at 320 and 600 pixels, light and dark, and pages.

`python tools/screenshots.py` needs Chromium. Look at each picture before you commit it.
"""

from __future__ import annotations

import re
import sys
from base64 import b64encode
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.archive_site import sample_archive as archive_site  # noqa: E402
from tests.publications import Publication, create_publication  # noqa: E402
from tests.rendering import sample_issues  # noqa: E402
from tests.rendering.page_screenshots import measure, screenshot  # noqa: E402
from tests.services.reports import sample_years  # noqa: E402

from upcycle_news.archive_site.builder import build_archive  # noqa: E402
from upcycle_news.rendering.preview_page import preview_page, standalone_html  # noqa: E402
from upcycle_news.rendering.render import render  # noqa: E402
from upcycle_news.services.content.gallery import shown_pieces  # noqa: E402
from upcycle_news.services.reports.report_link import report_html  # noqa: E402

TARGET = ROOT / "docs" / "images"
FRONT = 1184  # pixels: height of the two pictures in the README, which end below a heading
LARGEST = 300_000


def main() -> None:
    """Write every picture and print its size."""
    TARGET.mkdir(parents=True, exist_ok=True)
    for name, manifest in sample_issues.ISSUES.items():
        html = standalone_html(render(manifest()))
        for width in (320, 600):
            height = measure(html, widths=(width,), dark=False)[0].height
            for dark in (False, True):
                shade = "dark" if dark else "light"
                save_screenshot(
                    html, TARGET / f"{name}-{width}-{shade}.png", width, height, dark=dark
                )
    html = standalone_html(render(sample_issues.demo()))
    for dark in (False, True):
        target = TARGET / f"newsletter-{'dark' if dark else 'light'}.png"
        save_screenshot(html, target, 600, FRONT, dark=dark)
    for name in ("demo", "bulletin", "magazine"):
        save_without_style(name)
    html = archive_page()
    for dark in (False, True):
        target = TARGET / f"archive-{'dark' if dark else 'light'}.png"
        save_screenshot(html, target, 900, FRONT, dark=dark)
    page = preview_page(render(sample_issues.demo()), (), language="de")
    save_screenshot(page, TARGET / "preview.png", 1500, 1100, dark=False)
    save_pieces()
    save_report()


def save_without_style(name: str) -> None:
    """Save an issue as programs show it that drop ``<style>``."""
    html = standalone_html(render(sample_issues.ISSUES[name]()))
    bare = re.sub(r"<style.*?</style>", "", html, flags=re.DOTALL)
    height = measure(bare, widths=(600,), dark=False)[0].height
    save_screenshot(bare, TARGET / f"{name}-600-without-style.png", 600, height, dark=False)


def save_report() -> None:
    """Save the page of figures of a list of 4,000 after 40 weeks, its left half light and its right half dark."""
    with TemporaryDirectory() as folder:
        home = create_publication(Path(folder) / "umbaupost")
        with Publication(home, lambda: sample_years.NOW) as publication:
            context = publication.context()
            sample_years.write_weeks(context.store, 40, 4000)
            html = report_html(context)
        save_screenshot(html, TARGET / "report-page.png", 860, 1400, dark=False)
        light = Image.open(TARGET / "report-page.png").convert("RGB")
        save_screenshot(html, TARGET / "report-page.png", 860, 1400, dark=True)
        dark = Image.open(TARGET / "report-page.png").convert("RGB")
    dark.paste(light.crop((0, 0, 430, 1400)), (0, 0))
    dark.quantize(256, dither=Image.Dither.NONE).save(TARGET / "report-page.png", optimize=True)


def save_pieces() -> None:
    """Write docs/images/pieces: each piece in a mail, light and dark."""
    (TARGET / "pieces").mkdir(parents=True, exist_ok=True)
    manifest = sample_issues.english()
    for one in shown_pieces(manifest.templates, replace(manifest.publication, language="en")):
        for dark in (False, True):
            target = TARGET / "pieces" / f"{one.piece.name}-{'dark' if dark else 'light'}.png"
            save_screenshot(one.mail, target, 600, one.piece.height, dark=dark)


def archive_page() -> str:
    """Return the demo's issue in the archive as one HTML file, with style and pictures inlined."""
    sent = archive_site.issue("2026-11-26", sample_issues.demo())
    config = replace(archive_site.CONFIG, publication=sample_issues.demo().publication)
    files = build_archive([sent], config).files
    html = files["archive/2026-11-26/index.html"].decode()
    style = files["style.css"].decode()
    html = re.sub(r'<link rel="stylesheet"[^>]*>', lambda _: f"<style>{style}</style>", html)

    def inline(match: re.Match[str]) -> str:
        kind = "jpeg" if match[1].endswith("jpg") else match[1].rpartition(".")[2]
        return f'src="data:image/{kind};base64,{b64encode(files[match[1]]).decode()}"'

    return re.sub(r'src="\.\./\.\./(images/[^"]+)"', inline, html)


def save_screenshot(html: str, target: Path, width: int, height: int, *, dark: bool) -> None:
    """Save a picture with as few colours as keep it below the size limit."""
    with TemporaryDirectory() as folder:
        raw = Path(folder) / "raw.png"
        # A window of less than this shows a part of its page only.
        screenshot(html, raw, width=width, height=max(height, 400), dark=dark)
        with Image.open(raw) as image:
            cropped = image.convert("RGB").crop((0, 0, width, height))
    for colours in (256, 64, 24):
        cropped.quantize(colours, dither=Image.Dither.NONE).save(target, optimize=True)
        if target.stat().st_size <= LARGEST:
            break
    print(f"{target.relative_to(ROOT)}  {target.stat().st_size // 1000} kB")


if __name__ == "__main__":
    main()
