"""The preview page in a browser: at phone and desktop widths, light and dark."""

from __future__ import annotations

from pathlib import Path

import pytest

from upcycle_news.i18n.messages import localized
from upcycle_news.models import Finding
from upcycle_news.rendering.preview_page import preview_page
from upcycle_news.rendering.render import render

from ..web.browser_session import browsing
from . import sample_manifest
from .page_screenshots import node_tool

FINDINGS = (
    Finding(
        "error", "html", "content/essays/x.md:9", localized("html", tag="<p class='" + "x" * 200)
    ),
    Finding("warning", "preheader-missing", "issue.html", localized("preheader-missing")),
)


@pytest.mark.chromium
@pytest.mark.parametrize("findings", [(), FINDINGS], ids=["no findings", "findings"])
def test_no_view_is_cut_off_and_axe_finds_no_violation(
    tmp_path: Path, findings: tuple[Finding, ...]
) -> None:
    axe = node_tool("axe-core/axe.min.js").read_text(encoding="utf-8")
    manifest = sample_manifest.with_picture()
    page = preview_page(render(manifest), findings, language="de", related=manifest.issue.related)
    file = tmp_path / "preview.html"
    file.write_text(page, encoding="utf-8")
    with browsing() as browser:
        for width in (320, 400, 560, 800, 1104, 1200, 1600):
            browser.look(width=width, dark=width % 400 == 0)
            browser.open(file.as_uri())
            assert browser.overflow() <= 0, width
            cut = browser.run(
                "[...document.querySelectorAll('.frame, .frame iframe')].filter(element =>"
                " element.getBoundingClientRect().right > innerWidth).length"
            )
            assert cut == 0, width
            inner_widths = browser.run(
                "[...document.querySelectorAll('iframe')].map(frame => frame.contentWindow.innerWidth)"
            )
            assert inner_widths == [320, 680, 375, 680, 680, 680], (
                f"{width}: as wide as the title says"
            )
        for dark in (False, True):
            browser.look(width=1200, dark=dark)
            browser.open(file.as_uri())
            browser.run(axe + ";0")
            passes, violations = browser.run(
                "axe.run({iframes: false}).then(r => [r.passes.length, r.violations.map("
                "v => v.id + ': ' + v.nodes.map(n => n.html).join(' | '))])"
            )
            assert passes > 10
            assert violations == [], dark
