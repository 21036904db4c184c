"""The looks that come with the program: complete, checked, and behind a publication's own templates."""

from __future__ import annotations

import shutil
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from upcycle_news.checks.templates import check_templates
from upcycle_news.config.sections import TemplatesSettings
from upcycle_news.errors import TemplateError
from upcycle_news.rendering.render import render
from upcycle_news.rendering.subscriber_pages import PageRenderer
from upcycle_news.rendering.theme import read_theme
from upcycle_news.scaffold import layout, looks
from upcycle_news.scaffold.looks import templates_with_look

from ..rendering import sample_manifest

LOOKS = [look for look in get_args(TemplatesSettings.model_fields["look"].annotation) if look]
ROOT = layout.bundled_publication()


def test_a_setting_names_each_look_and_no_other() -> None:
    folders = [path.name for path in (ROOT / layout.LOOKS).iterdir() if path.is_dir()]
    assert sorted(LOOKS) == sorted([layout.BUNDLED_LOOK, *folders])


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_has_no_finding_and_readable_colours_in_light_and_dark(look: str) -> None:
    assert check_templates(templates_with_look(Path("nowhere"), look)) == ()


@pytest.mark.parametrize("look", LOOKS)
def test_a_look_says_all_that_templates_take_from_a_theme(look: str) -> None:
    bundled = tomllib.loads(sample_manifest.TEMPLATES["theme.toml"])
    theme = read_theme(templates_with_look(Path("nowhere"), look))
    for table in ("fonts", "light", "dark", "size", "line"):
        assert theme[table].keys() >= bundled[table].keys()


def test_the_looks_differ_in_mails_and_on_pages() -> None:
    html, pages = set(), set()
    for look in LOOKS:
        templates = templates_with_look(Path("nowhere"), look)
        html.add(render(replace(sample_manifest.with_picture(), templates=templates)).html)
        pages.add(PageRenderer(templates, sample_manifest.PUBLICATION).style)
    assert len(html) == len(pages) == len(LOOKS)


def test_a_magazine_shows_its_picture_once_and_above_the_title() -> None:
    templates = templates_with_look(Path("nowhere"), "magazine")
    html = render(replace(sample_manifest.with_picture(), templates=templates)).html
    assert html.count("<img") == 1
    assert html.index("<img") < html.index("<h1")


def test_what_a_publication_has_itself_counts_and_the_rest_is_the_looks(tmp_path: Path) -> None:
    (tmp_path / "partials").mkdir()
    (tmp_path / "partials/closing.mjml").write_text("{# ours #}", encoding="utf-8")
    (tmp_path / "texts.de.toml").write_text('imprint = "Wer wir sind"\n', encoding="utf-8")
    (tmp_path / "theme.toml").write_text('[light]\naccent = "#7a1fa2"\n', encoding="utf-8")
    templates = templates_with_look(tmp_path, "bulletin")
    assert templates["partials/closing.mjml"] == "{# ours #}"
    words = tomllib.loads(templates["texts.de.toml"])
    assert words["imprint"] == "Wer wir sind"
    assert (
        words.keys()
        == tomllib.loads((ROOT / "templates/texts.de.toml").read_text(encoding="utf-8")).keys()
    )
    theme = read_theme(templates)
    assert theme["light"]["accent"] == "#7a1fa2"
    assert theme["size"]["display"] == "26px"
    assert check_templates(templates) == ()


def test_a_newer_program_reaches_a_publication_with_a_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = tmp_path / "newer"
    for folder in ("templates", layout.LOOKS):
        shutil.copytree(ROOT / folder, newer / folder)
    for name in ("templates/partials/footer.mjml", "looks/magazine/partials/look.css"):
        (newer / name).write_text("/* newer */", encoding="utf-8")
    own = tmp_path / "templates"
    own.mkdir()
    monkeypatch.setattr(looks, "bundled_publication", lambda: newer)
    looks.bundled_templates.cache_clear()
    try:
        templates = templates_with_look(own, "magazine")
    finally:
        looks.bundled_templates.cache_clear()
    assert templates["partials/footer.mjml"] == "/* newer */"
    assert templates["partials/look.css"] == "/* newer */"


def test_a_mistake_in_ones_own_theme_is_told_at_its_line(tmp_path: Path) -> None:
    (tmp_path / "theme.toml").write_text("[light]\naccent = red\n", encoding="utf-8")
    with pytest.raises(TemplateError, match=r"theme\.toml:2"):
        read_theme(templates_with_look(tmp_path, "bulletin"))
