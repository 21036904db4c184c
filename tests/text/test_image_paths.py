"""Pictures below content/images, however editors write the way to them."""

from __future__ import annotations

import unicodedata

import pytest

from upcycle_news.text.image_paths import image_path, path_below_images


@pytest.mark.parametrize(
    ("target", "path"),
    [
        ("haus.png", "haus.png"),
        ("images/haus.png", "haus.png"),
        ("../images/haus.png", "haus.png"),
        ("/content/images/2026/haus%20eins.png", "2026/haus eins.png"),
        ("T%C3%BCr.png", "Tür.png"),
        (unicodedata.normalize("NFD", "Tür.png"), "Tür.png"),
        ("../../etc/passwd", "etc/passwd"),
        ("../images/../../secret.png", "secret.png"),
        ("https://fremd.example/x.png", None),
        ("//fremd.example/x.png", None),
        ("data:image/png;base64,AA", None),
        ("", None),
    ],
)
def test_an_image_refers_to_a_file_in_content_images(target: str, path: str | None) -> None:
    assert image_path(target) == path


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("haus.png", "haus.png"),
        ("./haus.png", "haus.png"),
        ("images/haus.png", "haus.png"),
        ("./images/haus.png", "haus.png"),
        ("../images/haus.png", "haus.png"),
        ("../../content/images/2026/haus.png", "2026/haus.png"),
        ("/images/haus.png", "haus.png"),
        ("/content/images/haus.png", "haus.png"),
        ("images/images/haus.png", "images/haus.png"),
        (unicodedata.normalize("NFD", "images/Tür.png"), "Tür.png"),
        # A name of the disk is no URL.
        ("100%25 #3?.png", "100%25 #3?.png"),
        # What leads elsewhere is not mended: it is refused.
        ("../haus.png", "../haus.png"),
        ("/haus.png", "/haus.png"),
        ("../etc/images.png", "../etc/images.png"),
        ("bilder/images/haus.png", "bilder/images/haus.png"),
    ],
)
def test_front_matter_names_a_picture_as_markdown_does(written: str, path: str) -> None:
    assert path_below_images(written) == path
