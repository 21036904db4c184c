"""Pictures that theme.toml and the settings name travel with the issue, and are told where they are missing."""

from __future__ import annotations

import json

from upcycle_news.models import Author, Channel, IssueId
from upcycle_news.services.archive.build import build_archive
from upcycle_news.services.issues.compose import compose_manifest
from upcycle_news.storage.manifest_json import decode, encode

from ...publications import Publication
from ...rendering.sample_manifest import png

ISSUE = IssueId.parse("2026-11-26")
SETTINGS = """
[[channels]]
name = "Mastodon"
url = "https://social.example.org/@umbau"

[[authors]]
name = "Redaktion"
about = "Zwei Zeilen."
portrait = "redaktion.png"

[[authors]]
name = "Niemand"
portrait = "fehlt.png"
"""


def with_design(publication: Publication, *pictures: str) -> None:
    folder = publication.home / "content/images"
    folder.mkdir(exist_ok=True)
    for number, name in enumerate(pictures, 1):
        (folder / name).write_bytes(png(60, 40, number))
    theme = publication.home / "templates/theme.toml"
    text = theme.read_text(encoding="utf-8")
    theme.write_text(text.replace('light = ""', 'light = "images/logo.png"', 1), encoding="utf-8")
    settings = publication.home / "newsletter.toml"
    settings.write_text(settings.read_text(encoding="utf-8") + SETTINGS, encoding="utf-8")
    publication.write_essay()


def test_the_issue_holds_logo_and_portrait_of_its_author(publication: Publication) -> None:
    with_design(publication, "logo.png", "redaktion.png")
    manifest = compose_manifest(publication.context(), ISSUE)
    assert set(manifest.images) == {"logo.png", "redaktion.png"}
    assert manifest.publication.channels == (
        Channel("Mastodon", "https://social.example.org/@umbau"),
    )
    assert manifest.publication.authors[0] == Author("Redaktion", "Zwei Zeilen.", "redaktion.png")
    text, blobs = encode(manifest)
    assert decode(text, blobs) == manifest


def test_a_manifest_from_before_these_settings_can_be_read(publication: Publication) -> None:
    publication.write_essay()
    manifest = compose_manifest(publication.context(IMPRINT__PRIVACY_URL=""), ISSUE)
    text, blobs = encode(manifest)
    for name in ("channels", "authors", "imprint_url", "privacy_url"):
        content = json.loads(text)
        del content["publication"][name]
        assert decode(json.dumps(content), blobs) == manifest


def test_a_picture_that_is_missing_is_told_at_the_line_that_names_it(
    publication: Publication,
) -> None:
    with_design(publication, "redaktion.png")
    findings = publication.run("check", "--json", code=1).lines
    (missing,) = [finding for finding in findings if finding["code"] == "image-missing"]
    assert missing["file"] == "templates/theme.toml"
    line = (publication.home / "templates/theme.toml").read_text().split("\n")[missing["line"] - 1]
    assert line.startswith("light =")
    assert "content/images/logo.png" in missing["message"]


def test_pages_show_the_logo_and_have_its_file(publication: Publication) -> None:
    with_design(publication, "logo.png", "redaktion.png")
    build_archive(publication.context())
    page = (publication.home / "var/archive/index.html").read_text(encoding="utf-8")
    address = page.partition('<span class="logo"><img src="')[2].partition('"')[0]
    assert (publication.home / "var/archive" / address).is_file()
    assert 'alt="Umbaupost"' in page
