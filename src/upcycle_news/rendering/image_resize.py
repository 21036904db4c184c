"""Pictures as editors hand them in become pictures that a mail can carry: scaled, small, silent.

Bytes in, bytes out. The steps keep the results in a cache, and a manifest holds them, so rendering
a revision again never depends on the version of the library that scaled its pictures.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING

from upcycle_news.errors import ContentError
from upcycle_news.i18n.messages import localized
from upcycle_news.rendering.images import COLUMN, raise_if_unsupported, read_image

if TYPE_CHECKING:
    from PIL.Image import Image

VERSION = 1
"""Raise it when `fit` writes other bytes than before: the caches of the old ones are then left."""

SHARP = 2 * COLUMN
"""Pixels of a file across: twice what is shown, for screens that have them."""

LARGEST = 200_000
"""Bytes of one picture in a mail."""

MOST_PIXELS = 60_000_000
"""Of a picture as handed in; some files of a few kilobytes unpack to gigabytes."""

_KINDS = ("PNG", "JPEG", "GIF", "WEBP")


def fit_for_mail(path: str, data: bytes) -> bytes:
    """The picture as PNG or JPEG, at most `SHARP` pixels across and `LARGEST` bytes.

    What is small enough and carries nothing private stays as it is. `path` is relative to
    content/images. Raises `ContentError` for what is no picture, damaged, or cannot be made fit.
    """
    from PIL import Image, ImageOps

    where = f"content/images/{path}"
    raise_if_unsupported(where, data)
    try:
        with warnings.catch_warnings():
            # Our own limit is the stricter one.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            with Image.open(BytesIO(data), formats=_KINDS) as image:
                if image.width * image.height > MOST_PIXELS:
                    raise _too_large(where)
                if _fits(image, data):
                    read_image(path, data)
                    image.load()  # a file that was cut off is told now, not by readers
                    return data
                upright = _plain(ImageOps.exif_transpose(image))
    except Image.DecompressionBombError:
        raise _too_large(where) from None
    except (OSError, SyntaxError, ValueError) as error:
        said = localized("picture-damaged-how", reason=str(error))
        raise ContentError(where, None, said) from error
    for written in _attempts(upright):
        if len(written) <= LARGEST:
            return written
    raise ContentError(where, None, localized("picture-too-heavy"))


def _too_large(where: str) -> ContentError:
    millions = MOST_PIXELS // 1_000_000
    said = localized("picture-too-many-pixels", millions=millions, width=SHARP)
    return ContentError(where, None, said)


def _fits(image: Image, data: bytes) -> bool:
    """Whether nothing has to be done. EXIF would tell readers where and when a photo was taken."""
    silent = not image.getexif() and "icc_profile" not in image.info and image.mode != "CMYK"
    still_image = not getattr(image, "is_animated", False) or image.format == "GIF"
    known = image.format in ("PNG", "JPEG", "GIF")
    return known and silent and still_image and image.width <= SHARP and len(data) <= LARGEST


def _plain(image: Image) -> Image:
    """Eight bits a channel, in the colours that mail programs take for granted."""
    transparent = "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La")
    converted = _in_srgb(image).convert("RGBA" if transparent else "RGB")
    if transparent and converted.getchannel("A").getextrema()[0] == 255:
        converted = converted.convert("RGB")  # an alpha channel that hides nothing
    return _scaled(converted, SHARP)


def _in_srgb(image: Image) -> Image:
    """Phones take photos in wider colours; without their profile those would look pale."""
    from PIL import ImageCms

    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "CMYK", "L"):
        return image
    try:
        found = ImageCms.profileToProfile(
            image, ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB"),
            outputMode="RGB",
        )  # fmt: skip
    except (ImageCms.PyCMSError, OSError):
        return image
    return found or image


def _scaled(image: Image, width: int) -> Image:
    from PIL.Image import Resampling

    if image.width <= width:
        return image
    height = max(1, round(image.height * width / image.width))
    return image.resize((width, height), Resampling.LANCZOS)


def _attempts(image: Image) -> Iterator[bytes]:
    """One way to write the picture after the other, from the best on."""
    for width in (SHARP, 800, COLUMN, 400):
        smaller = _scaled(image, width)
        if _is_drawing(smaller) or smaller.mode == "RGBA":
            yield _png(smaller)
            yield _png(smaller.quantize(256, method=2 if smaller.mode == "RGBA" else 0))
        if smaller.mode == "RGB":
            for quality in (85, 78, 70, 60, 50):
                yield _jpeg(smaller, quality)


def _is_drawing(image: Image) -> bool:
    """Few colours: JPEG would smear its edges, and PNG is smaller."""
    return image.mode == "RGB" and image.getcolors(4096) is not None


def _png(image: Image) -> bytes:
    out = BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _jpeg(image: Image, quality: int) -> bytes:
    out = BytesIO()
    image.save(out, "JPEG", quality=quality, optimize=True, progressive=True)
    return out.getvalue()
