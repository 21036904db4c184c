"""Pictures of an issue: what they are, how large, and the id by which the mail shows them."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from typing import Literal

from upcycle_news.errors import ContentError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import InlineImage

COLUMN = 536
"""Width of the text column in CSS pixels; a picture is never shown wider."""

ContentType = Literal["image/png", "image/jpeg", "image/gif"]


@dataclass(frozen=True)
class DisplayedImage:
    """A picture as the templates show it: `src` is its address, sizes are CSS pixels."""

    src: str
    width: int
    height: int

    def tag(self, alt: str) -> str:
        """The ``img`` element; Outlook reads the attributes, everybody else the style."""
        return (
            f'<img src="{escape(self.src)}" alt="{escape(alt)}" width="{self.width}" '
            f'height="{self.height}" '
            f'style="display:block;width:100%;max-width:{self.width}px;height:auto;border:0" />'
        )


def read_image(path: str, data: bytes) -> tuple[DisplayedImage, InlineImage]:
    """Look at the bytes of an image; raises `ContentError` for what mail programs do not show.

    `path` is relative to content/images. A picture wider than the column is shown at the column's
    width; `pictures.fit` has made it as large as it should be.
    """
    kind, width, height = inspect_image(path, data)
    shown = min(width, COLUMN)
    # The id is a function of the content: the same picture is the same part in every revision.
    cid = f"{sha256(data).hexdigest()[:20]}@images.upcycle-news"
    picture = DisplayedImage(f"cid:{cid}", shown, max(1, round(height * shown / width)))
    return picture, InlineImage(cid, kind, data)


def inspect_image(path: str, data: bytes) -> tuple[ContentType, int, int]:
    """What kind of picture it is, and its width and height in pixels; raises `ContentError`."""
    where = f"content/images/{path}"
    raise_if_unsupported(where, data)
    kind = _kind(where, data)
    size = {"image/png": _png, "image/gif": _gif, "image/jpeg": _jpeg}[kind](data)
    if size is None or 0 in size:
        raise ContentError(where, None, localized("picture-damaged"))
    return kind, *size


def raise_if_unsupported(where: str, data: bytes) -> None:
    """Raise `ContentError` for what no picture of a mail can be made of."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return
    if b"<svg" in data[:1000].lower():
        raise ContentError(where, None, localized("picture-svg"))
    if not data.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")):
        raise ContentError(where, None, localized("picture-foreign"))


def _kind(where: str, data: bytes) -> ContentType:
    if data.startswith(b"\x89PNG"):
        return "image/png"
    if data.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if data.startswith(b"GIF"):
        return "image/gif"
    raise ContentError(where, None, localized("picture-webp"))


def _png(data: bytes) -> tuple[int, int] | None:
    if len(data) < 24 or data[12:16] != b"IHDR":
        return None
    width, height = struct.unpack(">II", data[16:24])
    return width, height


def _gif(data: bytes) -> tuple[int, int] | None:
    if len(data) < 10:
        return None
    width, height = struct.unpack("<HH", data[6:10])
    return width, height


def _jpeg(data: bytes) -> tuple[int, int] | None:
    """Walk the segments to the start of frame, which holds the size."""
    at = 2
    while at + 9 <= len(data) and data[at] == 0xFF:
        marker = data[at + 1]
        if marker == 0xFF:  # a fill byte
            at += 1
        elif 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            height, width = struct.unpack(">HH", data[at + 5 : at + 9])
            return width, height
        else:
            at += 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None
