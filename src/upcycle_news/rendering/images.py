"""Images of an issue: their format and size, and the Content-ID by which a mail shows them."""

from __future__ import annotations

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from html import escape
from io import BytesIO
from typing import TYPE_CHECKING, Literal

from upcycle_news.errors import ContentError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import InlineImage

if TYPE_CHECKING:
    from PIL.Image import Image

COLUMN_WIDTH = 536
"""Width of the text column in CSS pixels; an image is never shown wider."""

MAX_WIDTH = 2 * COLUMN_WIDTH
"""Pixels across of an image's file: twice what is shown, for screens with that resolution."""

MAX_PIXELS = 60_000_000
"""Pixels of an image as handed in; some files of a few kilobytes decompress to gigabytes."""

ContentType = Literal["image/png", "image/jpeg", "image/gif"]

_SIGNATURES: dict[bytes, ContentType] = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF87a": "image/gif",
    b"GIF89a": "image/gif",
}
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP")


@dataclass(frozen=True)
class DisplayedImage:
    """An image as templates show it: `src` is its address, sizes are CSS pixels."""

    src: str
    width: int
    height: int

    def tag(self, alt: str) -> str:
        """Return the ``img`` element; Outlook reads the attributes, all others the style."""
        return (
            f'<img src="{escape(self.src)}" alt="{escape(alt)}" width="{self.width}" '
            f'height="{self.height}" '
            f'style="display:block;width:100%;max-width:{self.width}px;height:auto;border:0" />'
        )


def read_image(path: str, data: bytes) -> tuple[DisplayedImage, InlineImage]:
    """Return an image as it is shown and as it travels with the mail.

    Raises `ContentError` for what mail programs do not show. `path` is relative to content/images.
    An image wider than the column is shown at the column's width;
    `image_resize.fit_for_mail` has already limited the size of its file.
    """
    content_type, width, height = inspect_image(path, data)
    shown_width = min(width, COLUMN_WIDTH)
    # The id is a function of the content: the same image is the same part in every revision.
    cid = f"{sha256(data).hexdigest()[:20]}@images.upcycle-news"
    shown_height = max(1, round(height * shown_width / width))
    displayed = DisplayedImage(f"cid:{cid}", shown_width, shown_height)
    return displayed, InlineImage(cid, content_type, data)


def inspect_image(path: str, data: bytes) -> tuple[ContentType, int, int]:
    """Return content type, width and height in pixels from the header; raises `ContentError`."""
    where = f"content/images/{path}"
    raise_if_unsupported(where, data)
    content_type = _content_type(data)
    if content_type is None:
        raise ContentError(where, None, localized("picture-webp"))
    with open_image(where, data) as image:
        return content_type, image.width, image.height


@contextmanager
def open_image(where: str, data: bytes) -> Iterator[Image]:
    """Open an image by its header; pixels are decoded when the block asks for them.

    Raises `ContentError` at `where` for a damaged file and for more than `MAX_PIXELS`; errors that
    Pillow raises inside the block count as damage as well.
    """
    from PIL import Image  # late: 40 ms that most commands do not need

    try:
        with warnings.catch_warnings():
            # Our own limit is the stricter one, and what Pillow says about metadata helps no editor.
            warnings.simplefilter("ignore")
            with Image.open(BytesIO(data), formats=_FORMATS) as image:
                if image.width * image.height > MAX_PIXELS:
                    raise _too_many_pixels(where)
                yield image
    except Image.DecompressionBombError:
        raise _too_many_pixels(where) from None
    except (OSError, SyntaxError, ValueError, LookupError, EOFError, struct.error) as error:
        # Pillow's own reasons are about its code, and English.
        raise ContentError(where, None, localized("picture-damaged")) from error


def _too_many_pixels(where: str) -> ContentError:
    millions = MAX_PIXELS // 1_000_000
    text = localized("picture-too-many-pixels", millions=millions, width=MAX_WIDTH)
    return ContentError(where, None, text)


def raise_if_unsupported(where: str, data: bytes) -> None:
    """Raise `ContentError` for a format that cannot be turned into an image of a mail."""
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return
    if b"<svg" in data[:1000].lower():
        raise ContentError(where, None, localized("picture-svg"))
    if _content_type(data) is None:
        raise ContentError(where, None, localized("picture-foreign"))


def _content_type(data: bytes) -> ContentType | None:
    """Return the content type by the file's signature, or None for one that mails cannot show."""
    for signature, content_type in _SIGNATURES.items():
        if data.startswith(signature):
            return content_type
    return None
