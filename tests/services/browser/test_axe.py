"""axe-core in the browser that takes the pictures: what it finds, and what is said without it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from upcycle_news.i18n.messages import LocalizedText
from upcycle_news.rendering.render import render
from upcycle_news.services.browser.axe import AxeResult, examine, find_axe

from ...rendering import sample_issues
from ...rendering.page_screenshots import node_tool
from ...web.browser_session import chromium


@pytest.mark.chromium
def test_an_issue_breaks_no_rule_and_a_picture_without_text_does() -> None:
    script, good = node_tool("axe-core/axe.min.js"), render(sample_issues.ISSUES["no-picture"]())
    found = examine(good, chromium(), script, "de")
    assert isinstance(found, AxeResult), str(found)
    assert (found.violations, found.passes > 10, found.version[:2]) == ((), True, "4.")
    bad = replace(good, html=good.html.replace("</body>", '<img src="data:,x"></body>'))
    found = examine(bad, chromium(), script, "de")
    assert isinstance(found, AxeResult), str(found)
    assert [(one.rule, one.scheme) for one in found.violations] == [
        ("image-alt", "light"),
        ("image-alt", "dark"),
    ]
    assert "Alternativtext" in found.violations[0].help  # axe-core's own German


@pytest.mark.chromium
def test_a_file_that_is_not_axe_is_said_and_raises_nothing(tmp_path: Path) -> None:
    (tmp_path / "axe.min.js").write_text("nothing(")
    found = examine(render(sample_issues.ISSUES["no-picture"]()), chromium(), tmp_path / "axe.min.js", "de")  # fmt: skip
    assert isinstance(found, LocalizedText)
    assert found.in_language("de").startswith("Die Prüfung gelang nicht (")


def test_without_chromium_or_axe_nothing_is_examined_and_it_is_said(tmp_path: Path) -> None:
    issue = render(sample_issues.ISSUES["no-picture"]())
    assert "kein Chromium" in examine(issue, None, tmp_path, "de").in_language("de")  # type: ignore[union-attr]
    assert "axe-core" in examine(issue, "chromium", None, "de").in_language("de")  # type: ignore[union-attr]


def test_the_file_is_found_where_npm_puts_it_or_where_the_setting_says(tmp_path: Path) -> None:
    installed = tmp_path / "node_modules/axe-core/axe.min.js"
    installed.parent.mkdir(parents=True)
    installed.write_text("x")
    (tmp_path / "own.js").write_text("x")
    assert find_axe("auto", tmp_path) == installed
    assert find_axe("off", tmp_path) is None
    assert find_axe("own.js", tmp_path) == tmp_path / "own.js"
    assert find_axe("missing.js", tmp_path) is None
