"""Format and size of images, and what mail programs do not show."""

from __future__ import annotations

import struct
from io import BytesIO

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from PIL import Image

from upcycle_news.errors import ContentError
from upcycle_news.rendering.images import COLUMN_WIDTH, MAX_PIXELS, read_image

from .sample_manifest import png


def encoded(width: int, height: int, image_format: str) -> bytes:
    """A plain image of this size."""
    out = BytesIO()
    Image.new("L", (width, height)).save(out, image_format)
    return out.getvalue()


GIF = encoded(31, 17, "GIF")
# A fill byte may stand before every marker (ITU T.81, B.1.1.2).
JPEG = encoded(640, 480, "JPEG").replace(b"\xff\xc0", b"\xff\xff\xc0")


@pytest.mark.parametrize(
    ("data", "kind", "size"),
    [
        (png(60, 40), "image/png", (60, 40)),
        (GIF, "image/gif", (31, 17)),
        (JPEG, "image/jpeg", (COLUMN_WIDTH, COLUMN_WIDTH * 480 // 640)),
    ],
)
def test_size_and_kind_are_read_from_the_bytes(
    data: bytes, kind: str, size: tuple[int, int]
) -> None:
    displayed, image = read_image("ein.bild", data)
    assert (displayed.width, displayed.height) == size
    assert image.content_type == kind
    assert displayed.src == f"cid:{image.cid}"


@pytest.mark.parametrize(
    ("data", "sentence"),
    [
        (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "WebP image, which Outlook does not show"),
        (b"<?xml version='1.0'?><svg/>", "SVG drawing"),
        (b"hallo", "not an image"),
        (b"", "not an image"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (b"\xff\xd8\xff\xe0\x00\x00\x00\x00\x00\x00", "damaged"),
        (b"\xff\xd8\xff", "damaged"),
        (png(60, 40)[:16] + b"\x00" * 8, "damaged"),
        (GIF[:10], "damaged"),
        (JPEG[:30], "damaged"),
        (
            GIF[:6] + struct.pack("<HH", MAX_PIXELS // 1000 + 1, 1000) + GIF[10:],
            "more than 60 million pixels",
        ),
    ],
)
def test_what_mail_programs_do_not_show_is_refused_with_the_fix(data: bytes, sentence: str) -> None:
    with pytest.raises(ContentError, match=sentence) as caught:
        read_image("x.webp", data)
    assert str(caught.value).startswith("content/images/x.webp: ")


@given(st.sampled_from([png(60, 40), GIF, JPEG]), st.binary(max_size=40), st.integers(3, 60))
@example(png(60, 40), b"\x7f" * 8, 16)  # more pixels than Pillow itself allows
def test_an_image_is_read_or_refused_whatever_its_header_holds(
    data: bytes, junk: bytes, position: int
) -> None:
    try:
        displayed, _ = read_image("x.png", data[:position] + junk + data[position + len(junk) :])
    except ContentError:
        return
    assert 1 <= displayed.width <= COLUMN_WIDTH
    assert displayed.height >= 1


def test_equal_images_have_equal_ids_and_others_do_not() -> None:
    first = read_image("a.png", png(10, 10))[1].cid
    assert first == read_image("b.png", png(10, 10))[1].cid
    assert first != read_image("a.png", png(11, 10))[1].cid


def test_a_quotation_mark_in_an_alt_text_is_escaped() -> None:
    tag = read_image("a.png", png(10, 10))[0].tag('"Haus" onload="x"')
    assert 'alt="&quot;Haus&quot; onload=&quot;x&quot;"' in tag
