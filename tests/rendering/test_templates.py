"""Loading the folder of templates, and rules for the shipped templates."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from upcycle_news.errors import TemplateError
from upcycle_news.rendering.templates import load_templates
from upcycle_news.scaffold.looks import templates_with_look

from .sample_manifest import TEMPLATES


def folder(tmp_path: Path, **changes: bytes | None) -> Path:
    files = {"newsletter.mjml": b"<mjml/>", "newsletter.txt": b"x", "theme.toml": b""}
    for name, data in {**files, **changes}.items():
        if data is not None:
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes(data)
    return tmp_path


def test_templates_are_named_by_their_posix_path(tmp_path: Path) -> None:
    templates_folder = folder(
        tmp_path, **{"partials/a.mjml": b"<p>\r\n\xc3\xa4</p>", "notes.md": b"no"}
    )
    templates = load_templates(templates_folder)
    assert list(templates) == ["newsletter.mjml", "newsletter.txt", "partials/a.mjml", "theme.toml"]
    assert templates["partials/a.mjml"] == "<p>\nä</p>"


@pytest.mark.parametrize("name", ["newsletter.mjml", "newsletter.txt", "theme.toml"])
def test_a_missing_template_is_reported_with_the_fix(tmp_path: Path, name: str) -> None:
    with pytest.raises(TemplateError, match=rf"{name}: is missing \(restore"):
        load_templates(folder(tmp_path, **{name: None}))


def test_a_missing_folder_is_reported(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match="there is no such folder"):
        load_templates(tmp_path / "nowhere")


def test_a_template_in_latin_1_is_refused_at_its_line(tmp_path: Path) -> None:
    with pytest.raises(TemplateError, match=r"newsletter\.txt:2: is not UTF-8"):
        load_templates(folder(tmp_path, **{"newsletter.txt": b"gut\nm\xfcde\n"}))


def test_both_catalogues_have_the_same_strings_and_placeholders() -> None:
    german = tomllib.loads(TEMPLATES["texts.de.toml"])
    english = tomllib.loads(TEMPLATES["texts.en.toml"])
    assert german.keys() == english.keys()
    for key in german:
        assert re.findall(r"\{\w+\}", german[key]) == re.findall(r"\{\w+\}", english[key]), key


def in_every_look() -> Iterator[tuple[str, str]]:
    """The templates of each look without their comments."""
    for look in ("letter", "bulletin", "magazine"):
        for name, text in templates_with_look(Path("nowhere"), look).items():
            yield f"{look}: {name}", re.sub(r"\{#.*?#\}", "", text, flags=re.DOTALL)


def test_no_mjml_attribute_has_a_zero_without_a_unit() -> None:
    # mrml computes wrong image widths from padding="0 24px"; cellpadding is one of HTML.
    for name, text in in_every_look():
        if name.endswith(".mjml"):
            assert not re.search(r'(?<!cell)(?:padding|width)[\w-]*="(?:[^"]* )?0[ "]', text), name


def test_the_templates_name_no_foreign_host() -> None:
    for name, text in in_every_look():
        assert not re.search(r"https?://|url\(|@import|@font-face", text), name


def luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("palette", ["light", "dark"])
@pytest.mark.parametrize("text", ["ink", "soft", "accent"])
@pytest.mark.parametrize("ground", ["page", "sheet", "tint"])
def test_text_has_enough_contrast_on_every_background(palette: str, text: str, ground: str) -> None:
    colours = tomllib.loads(TEMPLATES["theme.toml"])[palette]
    darker, lighter = sorted((luminance(colours[text]), luminance(colours[ground])))
    assert (lighter + 0.05) / (darker + 0.05) >= 4.5


def test_colours_are_defined_in_the_theme_only() -> None:
    for name, text in in_every_look():
        if not name.endswith((" theme.toml", " look.toml")):
            assert not re.search(r"#[0-9a-fA-F]{3,8}\b(?!;)", text), name
