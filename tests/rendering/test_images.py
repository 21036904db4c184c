"""What is a picture, how large is it, and what mail programs do not show."""

from __future__ import annotations

import struct

import pytest

from upcycle_news.errors import ContentError
from upcycle_news.rendering.images import COLUMN, read_image

from .sample_manifest import png

GIF = b"GIF89a" + struct.pack("<HH", 31, 17) + b"\x00" * 20
JPEG = (
    b"\xff\xd8\xff\xe0\x00\x10JFIF\x00" + b"\x00" * 9
    + b"\xff\xff\xc0\x00\x11\x08" + struct.pack(">HH", 480, 640) + b"\x03" + b"\x00" * 9
)  # fmt: skip


@pytest.mark.parametrize(
    ("data", "kind", "size"),
    [
        (png(60, 40), "image/png", (60, 40)),
        (GIF, "image/gif", (31, 17)),
        (JPEG, "image/jpeg", (COLUMN, COLUMN * 480 // 640)),
    ],
)
def test_size_and_kind_are_read_from_the_bytes(
    data: bytes, kind: str, size: tuple[int, int]
) -> None:
    picture, image = read_image("ein.bild", data)
    assert (picture.width, picture.height) == size
    assert image.content_type == kind
    assert picture.src == f"cid:{image.cid}"


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
    ],
)
def test_what_mail_programs_do_not_show_is_refused_with_its_cure(
    data: bytes, sentence: str
) -> None:
    with pytest.raises(ContentError, match=sentence) as caught:
        read_image("x.webp", data)
    assert str(caught.value).startswith("content/images/x.webp: ")


def test_the_same_picture_has_the_same_id_and_another_one_another() -> None:
    first = read_image("a.png", png(10, 10))[1].cid
    assert first == read_image("b.png", png(10, 10))[1].cid
    assert first != read_image("a.png", png(11, 10))[1].cid


def test_a_quotation_mark_in_an_alt_text_stays_inside() -> None:
    tag = read_image("a.png", png(10, 10))[0].tag('"Haus" onload="x"')
    assert 'alt="&quot;Haus&quot; onload=&quot;x&quot;"' in tag
