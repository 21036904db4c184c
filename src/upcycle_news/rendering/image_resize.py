"""Images as editors hand them in become images that a mail can carry: scaled, small, discreet.

Bytes in, bytes out. The services keep the results in a cache, and a manifest holds them, so
rendering a revision again never depends on the version of the library that scaled its images.
"""

from __future__ import annotations

from collections.abc import Iterator
from io import BytesIO
from typing import TYPE_CHECKING

from upcycle_news.errors import ContentError
from upcycle_news.i18n.messages import localized
from upcycle_news.rendering.image_metadata import (
    ImageRights,
    read_information,
    with_rights,
    without_metadata,
)
from upcycle_news.rendering.images import (
    COLUMN_WIDTH,
    MAX_PIXELS,
    MAX_WIDTH,
    open_image,
    raise_if_unsupported,
)

if TYPE_CHECKING:
    from PIL.Image import Image

VERSION = 2
"""Raise it when `fit_for_mail` writes other bytes than before: old cache entries are ignored then."""

MAX_BYTES = 200_000
"""Bytes of one image in a mail, apart from what is said about its rights."""

MAX_ANIMATION_BYTES = 1_000_000
"""Bytes of an image that moves; a larger one stands still."""

_DARK = 0.0754
"""Relative luminance (WCAG 2.2) with a contrast of 2:1 to the sheet in the dark, #1b1e1b."""


def fit_for_mail(path: str, data: bytes) -> bytes:
    """Return the image as PNG, JPEG or GIF, at most `MAX_WIDTH` pixels across and `MAX_BYTES` bytes.

    Nothing but the rights is said about it. An image that is small enough keeps its pixels as they
    are encoded, and every byte if its file says nothing else. One that moves goes on moving within
    `MAX_ANIMATION_BYTES`. `path` is relative to content/images. Raises `ContentError` for what is no
    image, is damaged or cannot be made fit.
    """
    from PIL import ImageOps

    where = f"content/images/{path}"
    raise_if_unsupported(where, data)
    with open_image(where, data) as image:
        rights = read_information(image, data).rights
        if is_animated(image):
            moving = next(_animations(image, data), None)
            if moving is not None:
                return with_rights(moving, rights)
            image.seek(0)
        if _is_fit(image, data):
            image.load()  # a file that was cut off is reported now, not seen by subscribers
            if (bare := without_metadata(data)) is not None:
                return with_rights(bare, rights)
        upright = _normalised(ImageOps.exif_transpose(image))
    return _smallest(where, upright, rights)


def _smallest(where: str, image: Image, rights: ImageRights) -> bytes:
    for encoded in _encodings(image):
        if len(encoded) <= MAX_BYTES:
            return with_rights(encoded, rights)
    raise ContentError(where, None, localized("picture-too-heavy"))


def is_animated(image: Image) -> bool:
    """Return whether an image moves.

    A JPEG with several images (MPO) does not: phones keep a second exposure or a depth map in it.
    """
    return image.format in ("PNG", "GIF", "WEBP") and bool(getattr(image, "is_animated", False))


def _animations(image: Image, data: bytes) -> Iterator[bytes]:
    """Yield the image with all its frames, if that is possible: as it is, or as a smaller GIF."""
    frames = getattr(image, "n_frames", 1)
    if frames * image.width * image.height > MAX_PIXELS:
        return
    if image.format in ("PNG", "GIF"):
        bare = without_metadata(data)
        if bare is None:  # Pillow would show the frames that are left
            raise ValueError("the animation is cut off")
        if image.width <= MAX_WIDTH and len(bare) <= MAX_ANIMATION_BYTES:
            for number in range(frames):  # a frame that was cut off is reported now
                image.seek(number)
                image.load()
            yield bare
    for width in (MAX_WIDTH, COLUMN_WIDTH, 400):
        encoded = _gif(image, frames, width)
        if len(encoded) <= MAX_ANIMATION_BYTES:
            yield encoded


def _gif(image: Image, frames: int, width: int) -> bytes:
    pictures, durations = [], []
    for number in range(frames):
        image.seek(number)
        durations.append(int(image.info.get("duration") or 100))
        pictures.append(_scaled(image.convert("RGBA"), width))
    out = BytesIO()
    pictures[0].save(
        out, "GIF", save_all=True, append_images=pictures[1:], duration=durations,
        loop=int(image.info.get("loop", 0)), disposal=2,
    )  # fmt: skip
    return _bare(out.getvalue())


def _is_fit(image: Image, data: bytes) -> bool:
    """Return whether the pixels may stay as they are encoded."""
    upright = image.getexif().get(0x0112, 1) == 1
    plain = "icc_profile" not in image.info and image.mode in ("1", "L", "P", "RGB", "LA", "RGBA")
    known = image.format in ("PNG", "JPEG", "MPO", "GIF") and not is_animated(image)
    small = image.width <= MAX_WIDTH and len(data) <= MAX_BYTES
    return (
        known and upright and plain and small and not (_is_transparent(image) and _is_dark(image))
    )


def _is_transparent(image: Image) -> bool:
    return "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La")


def _is_dark(image: Image) -> bool:
    """Return whether something in a transparent image would vanish on a dark sheet.

    That is more than a fiftieth of what is to be seen, where a twentieth of the image lets the sheet
    shine through.
    """
    rgba = image.convert("RGBA")
    visible = rgba.getchannel("A").point([0] * 128 + [255] * 128).convert("1")
    shown = visible.histogram()[255]
    if shown == 0 or rgba.width * rgba.height - shown < rgba.width * rgba.height / 20:
        return False
    scale = 255 / 0.2  # dark values keep their differences, bright ones are cut
    curve = [min(255, round(scale * _linear(value / 255))) for value in range(256)]
    weights = (0.2126, 0.7152, 0.0722, 0)
    luminance = rgba.convert("RGB").point(curve * 3).convert("L", weights)
    dark = sum(luminance.histogram(visible)[: round(scale * _DARK)])
    return dark > shown / 50


def _linear(value: float) -> float:
    """Return a channel of sRGB without its gamma (IEC 61966-2-1), both from 0 to 1."""
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _normalised(image: Image) -> Image:
    """Convert to eight bits a channel in sRGB, which mail programs assume, and limit the width.

    What is transparent and would vanish in the dark gets a light ground.
    """
    from PIL import Image as Images

    transparent = _is_transparent(image)
    converted = _in_srgb(_eight_bits(image)).convert("RGBA" if transparent else "RGB")
    if transparent and converted.getchannel("A").getextrema()[0] == 255:
        converted = converted.convert("RGB")  # an alpha channel that hides nothing
    converted = _scaled(converted, MAX_WIDTH)
    if converted.mode == "RGBA" and _is_dark(converted):
        ground = Images.new("RGBA", converted.size, "white")
        converted = Images.alpha_composite(ground, converted).convert("RGB")
    return converted


def _eight_bits(image: Image) -> Image:
    """Return an image of 16-bit greys in 8 bits: converting it would cut all but the darkest off."""
    if not image.mode.startswith("I"):
        return image
    return image.convert("I").point(lambda value: value * (1 / 257) + 0.5).convert("L")


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
    return _bare(out.getvalue())


def _jpeg(image: Image, quality: int) -> bytes:
    out = BytesIO()
    image.save(out, "JPEG", quality=quality, optimize=True, progressive=True)
    return _bare(out.getvalue())


def _bare(data: bytes) -> bytes:
    """Return what Pillow wrote without what it took over from the file, such as its comment."""
    bare = without_metadata(data)
    assert bare is not None
    return bare
