"""Images as editors hand them in become images that a mail can carry: scaled, small, no metadata.

Bytes in, bytes out. The services keep the results in a cache, and a manifest holds them, so
rendering a revision again never depends on the version of the library that scaled its images.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING

from upcycle_news.errors import ContentError
from upcycle_news.i18n.messages import localized
from upcycle_news.rendering.images import (
    COLUMN_WIDTH,
    MAX_WIDTH,
    open_image,
    raise_if_unsupported,
)

if TYPE_CHECKING:
    from PIL.Image import Image

VERSION = 1
"""Raise it when `fit_for_mail` writes other bytes than before: old cache entries are ignored then."""

MAX_BYTES = 200_000
"""Bytes of one image in a mail."""


def fit_for_mail(path: str, data: bytes) -> bytes:
    """Return the image as PNG or JPEG, at most `MAX_WIDTH` pixels across and `MAX_BYTES` bytes.

    An image that is small enough and carries no metadata is returned unchanged. `path` is relative
    to content/images. Raises `ContentError` for what is no image, is damaged or cannot be made fit.
    """
    from PIL import ImageOps

    where = f"content/images/{path}"
    raise_if_unsupported(where, data)
    with open_image(where, data) as image:
        if _is_fit(image, data):
            image.load()  # a file that was cut off is reported now, not seen by subscribers
            return data
        upright = _normalised(ImageOps.exif_transpose(image))
    for encoded in _encodings(upright):
        if len(encoded) <= MAX_BYTES:
            return encoded
    raise ContentError(where, None, localized("picture-too-heavy"))


def _is_fit(image: Image, data: bytes) -> bool:
    """Return whether nothing has to be done.

    EXIF would tell subscribers where and when a photo was taken.
    """
    plain = not image.getexif() and "icc_profile" not in image.info and image.mode != "CMYK"
    still_image = not getattr(image, "is_animated", False) or image.format == "GIF"
    known = image.format in ("PNG", "JPEG", "GIF")
    small = image.width <= MAX_WIDTH and len(data) <= MAX_BYTES
    return known and plain and still_image and small


def _normalised(image: Image) -> Image:
    """Convert to eight bits a channel in sRGB, which mail programs assume, and limit the width."""
    transparent = "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La")
    converted = _in_srgb(image).convert("RGBA" if transparent else "RGB")
    if transparent and converted.getchannel("A").getextrema()[0] == 255:
        converted = converted.convert("RGB")  # an alpha channel that hides nothing
    return _scaled(converted, MAX_WIDTH)


def _in_srgb(image: Image) -> Image:
    """Convert by the ICC profile: phones' wider colours would look pale without it."""
    from PIL import ImageCms

    profile = image.info.get("icc_profile")
    if not profile or image.mode not in ("RGB", "CMYK", "L"):
        return image
    try:
        converted = ImageCms.profileToProfile(
            image, ImageCms.ImageCmsProfile(BytesIO(profile)), ImageCms.createProfile("sRGB"),
            outputMode="RGB",
        )  # fmt: skip
    except (ImageCms.PyCMSError, OSError):
        return image
    return converted or image


def _scaled(image: Image, width: int) -> Image:
    from PIL.Image import Resampling

    if image.width <= width:
        return image
    height = max(1, round(image.height * width / image.width))
    return image.resize((width, height), Resampling.LANCZOS)


def _encodings(image: Image) -> Iterator[bytes]:
    """Yield the image encoded in ever smaller ways, the best first."""
    for width in (MAX_WIDTH, 800, COLUMN_WIDTH, 400):
        smaller = _scaled(image, width)
        if _is_drawing(smaller) or smaller.mode == "RGBA":
            yield _png(smaller)
            yield _png(smaller.quantize(256, method=2 if smaller.mode == "RGBA" else 0))
        if smaller.mode == "RGB":
            for quality in (85, 78, 70, 60, 50):
                yield _jpeg(smaller, quality)


def _is_drawing(image: Image) -> bool:
    """Return whether it has few colours: JPEG would blur its edges, and PNG is smaller."""
    return image.mode == "RGB" and image.getcolors(4096) is not None


def _png(image: Image) -> bytes:
    out = BytesIO()
    image.save(out, "PNG", optimize=True)
    return out.getvalue()


def _jpeg(image: Image, quality: int) -> bytes:
    out = BytesIO()
    image.save(out, "JPEG", quality=quality, optimize=True, progressive=True)
    return out.getvalue()
