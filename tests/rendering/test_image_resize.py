"""Scaling images as editors hand them in to what a mail can carry."""

from __future__ import annotations

import random
from io import BytesIO

import pytest
from PIL import Image

from upcycle_news.errors import ContentError
from upcycle_news.rendering.image_resize import MAX_BYTES, fit_for_mail
from upcycle_news.rendering.images import MAX_WIDTH, read_image

from .sample_manifest import png


def photo(width: int, height: int, kind: str = "JPEG", **options: object) -> bytes:
    """An image with as much detail as a photo has."""
    noise = random.Random(width).randbytes(90 * 60 * 3)
    image = Image.frombytes("RGB", (90, 60), noise).resize(
        (width, height), Image.Resampling.BICUBIC
    )
    return written(image, kind, **options)


def written(image: Image.Image, kind: str, **options: object) -> bytes:
    out = BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photo_becomes_twice_the_column_and_at_most_200_kilobytes(kind: str) -> None:
    small = fit_for_mail("foto", photo(3000, 2000, kind))
    assert len(small) <= MAX_BYTES
    with Image.open(BytesIO(small)) as image:
        assert image.width == MAX_WIDTH
        assert image.format == "JPEG"
    displayed, _ = read_image("foto", small)
    assert (displayed.width, displayed.height) == (MAX_WIDTH // 2, 358)


def test_an_image_that_fits_is_returned_unchanged() -> None:
    drawing = png(200, 100)
    assert fit_for_mail("a.png", drawing) == drawing
    assert fit_for_mail("a.jpg", small := photo(600, 400, quality=60)) == small


def test_the_same_image_gives_the_same_bytes() -> None:
    assert fit_for_mail("a.jpg", photo(2000, 1000)) == fit_for_mail("b.jpg", photo(2000, 1000))


def test_exif_data_is_removed_after_its_rotation_was_applied() -> None:
    exif = Image.Exif()
    exif[0x010F] = "Kamera"
    exif[0x0112] = 6  # turned by a quarter
    small = fit_for_mail("a.jpg", photo(600, 400, exif=exif))
    with Image.open(BytesIO(small)) as image:
        assert not image.getexif()
        assert image.size == (400, 600)
    assert b"Kamera" not in small


def test_a_drawing_keeps_its_transparency() -> None:
    image = Image.new("RGBA", (2400, 800), (0, 0, 0, 0))
    image.paste((29, 97, 82, 255), (100, 100, 900, 700))
    small = fit_for_mail("a.png", written(image, "PNG"))
    with Image.open(BytesIO(small)) as scaled:
        assert scaled.format == "PNG"
        assert scaled.width == MAX_WIDTH
        assert scaled.convert("RGBA").getpixel((2, 2))[3] == 0  # type: ignore[index]


def test_a_large_drawing_stays_sharp_as_png() -> None:
    image = Image.new("RGB", (2400, 1600), "#fffefa")
    image.paste("#1d6152", (0, 0, 1200, 800))
    with Image.open(BytesIO(fit_for_mail("a.png", written(image, "PNG")))) as scaled:
        assert (scaled.format, scaled.width) == ("PNG", MAX_WIDTH)


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"<?xml version='1.0'?><svg/>", "SVG drawing"),
        (b"%PDF-1.7", "not an image"),
        (b"", "not an image"),
        (photo(800, 600)[:2000], "damaged"),
        (b"\x89PNG\r\n\x1a\n" + b"\x00" * 40, "damaged"),
    ],
    ids=["svg", "pdf", "empty", "truncated", "zeros"],
)
def test_what_is_no_usable_image_is_refused_with_the_fix(data: bytes, sentence: str) -> None:
    with pytest.raises(ContentError, match=sentence) as caught:
        fit_for_mail("x.png", data)
    assert str(caught.value).startswith("content/images/x.png: ")


@pytest.mark.slow
def test_a_decompression_bomb_is_not_decoded() -> None:
    bomb = written(Image.new("1", (30_000, 30_000)), "PNG")
    assert len(bomb) < 200_000
    with pytest.raises(ContentError, match="more than 60 million pixels"):
        fit_for_mail("x.png", bomb)
