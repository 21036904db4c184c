"""Scaling images as editors hand them in to what a mail can carry."""

from __future__ import annotations

import random
import struct
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageDraw

from upcycle_news.errors import ContentError
from upcycle_news.rendering.image_resize import MAX_ANIMATION_BYTES, MAX_BYTES, fit_for_mail
from upcycle_news.rendering.images import MAX_WIDTH, inspect_image, read_image

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


def grey16(width: int, height: int, noise: int = 0) -> bytes:
    """A PNG with 16 bits a pixel: a ramp from a quarter to three quarters of white."""
    dice = random.Random(1)
    values = [16384 + 32768 * x // width for x in range(width)] * height
    raw = b"".join(struct.pack("<H", value + dice.randrange(noise + 1)) for value in values)
    return written(Image.frombytes("I;16", (width, height), raw), "PNG")


@pytest.mark.parametrize(
    "data",
    [grey16(60, 20), grey16(1500, 40), grey16(600, 300, 500)],
    ids=["small", "wide", "heavy"],
)
def test_sixteen_bits_of_grey_become_the_same_greys_in_eight(data: bytes) -> None:
    with Image.open(BytesIO(fit_for_mail("a.png", data))) as image:
        assert image.mode in ("L", "RGB", "P")
        grey = image.convert("L")
        row = [grey.getpixel((x, grey.height // 2)) for x in range(grey.width)]
    assert row[0] == pytest.approx(64, abs=2)
    assert row[len(row) // 2] == pytest.approx(128, abs=2)
    assert row[-1] == pytest.approx(191, abs=2)


def line_drawing(mode: str, ink: tuple[int, int, int]) -> Image.Image:
    image = Image.new("RGBA", (300, 200), (0, 0, 0, 0))
    ImageDraw.Draw(image).rectangle((40, 40, 260, 160), outline=(*ink, 255), width=4)
    return image if mode == "RGBA" else image.convert(mode)


@pytest.mark.parametrize(
    ("mode", "kind"), [("RGBA", "PNG"), ("LA", "PNG"), ("RGBA", "GIF"), ("RGBA", "WEBP")]
)
def test_dark_lines_on_nothing_get_a_light_ground(mode: str, kind: str) -> None:
    data = written(line_drawing(mode, (20, 20, 30)), kind)
    with Image.open(BytesIO(fit_for_mail("a", data))) as image:
        assert "transparency" not in image.info
        shown = image.convert("RGBA")
        assert shown.getpixel((5, 5)) == (255, 255, 255, 255)
        assert max(shown.getpixel((41, 100))[:3]) < 60  # type: ignore[index]


def test_what_is_bright_keeps_its_transparency_byte_for_byte() -> None:
    data = written(line_drawing("RGBA", (240, 190, 60)), "PNG")
    assert fit_for_mail("a.png", data) == data


def moving(
    kind: str, size: tuple[int, int] = (120, 90), frames: int = 4, **options: object
) -> bytes:
    dice = random.Random(2)
    pictures = [
        Image.frombytes("L", size, dice.randbytes(size[0] * size[1])).convert("RGB")
        for _ in range(frames)
    ]
    return written(
        pictures[0], kind, save_all=True, append_images=pictures[1:], duration=200, **options
    )


def frames_of(data: bytes) -> int:
    with Image.open(BytesIO(data)) as image:
        return getattr(image, "n_frames", 1)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_what_moves_goes_on_moving_within_the_limit(kind: str) -> None:
    options = {"comment": b"Hinterhof"} if kind == "GIF" else {}
    small = fit_for_mail("a", moving(kind, **options))
    assert frames_of(small) == 4
    assert len(small) <= MAX_ANIMATION_BYTES
    assert b"Hinterhof" not in small


def test_a_wide_animation_is_scaled_and_a_huge_one_stands_still() -> None:
    wide = Image.new("RGB", (1500, 60), "red")
    data = written(wide, "GIF", save_all=True, append_images=[Image.new("RGB", (1500, 60), "blue")])
    small = fit_for_mail("a.gif", data)
    assert frames_of(small) == 2
    assert inspect_image("a.gif", small)[1] <= MAX_WIDTH
    shades = [Image.new("L", (2000, 1000), shade) for shade in range(31)]
    huge = written(shades[0], "PNG", save_all=True, append_images=shades[1:])
    assert frames_of(fit_for_mail("b.png", huge)) == 1


def test_the_second_picture_that_phones_keep_in_a_jpeg_is_neither_shown_nor_sent() -> None:
    both = [Image.new("RGB", (300, 200), shade) for shade in ("red", "blue")]
    data = written(both[0], "MPO", save_all=True, append_images=both[1:])
    small = fit_for_mail("a.jpg", data)
    assert small.count(b"\xff\xd8\xff") == 1
    with Image.open(BytesIO(small)) as image:
        assert (image.format, getattr(image, "n_frames", 1)) == ("JPEG", 1)
        assert image.getpixel((100, 100))[0] > 200  # type: ignore[index]


def test_an_animation_that_was_cut_off_is_damaged() -> None:
    data = moving("GIF")
    with pytest.raises(ContentError, match="damaged"):
        fit_for_mail("a.gif", data[: len(data) // 2])


@settings(max_examples=60, deadline=None)
@given(
    st.sampled_from(["GIF", "PNG", "WEBP", "MPO"]),
    st.binary(min_size=1, max_size=6),
    st.integers(10, 400),
)
def test_a_picture_with_broken_bytes_is_shown_or_refused(
    kind: str, junk: bytes, position: int
) -> None:
    data = BROKEN[kind]
    try:
        small = fit_for_mail("a", data[:position] + junk + data[position + len(junk) :])
    except ContentError:
        return
    assert inspect_image("a", small)


BROKEN = {kind: moving(kind, (40, 30), 2) for kind in ("GIF", "PNG", "WEBP", "MPO")}
