"""Paths of pictures below content/images, as editors write them in front matter and in Markdown.

``x.jpg``, ``images/x.jpg``, ``../images/x.jpg`` and ``/content/images/x.jpg`` mean the same picture:
editors see it in their own viewer with one or the other. Names are in NFC (UAX #15), whatever
form the file system or the keyboard gives them.
"""

from __future__ import annotations

import posixpath
import re
import unicodedata
from urllib.parse import unquote, urlsplit


def image_path(target: str) -> str | None:
    """Return the path below content/images that an image in Markdown refers to, or None for a foreign one."""
    parts = urlsplit(target)
    if parts.scheme or parts.netloc or not parts.path:
        return None
    path = posixpath.normpath(unquote(parts.path)).lstrip("/")
    path = re.sub(r"^(?:\.\./)*(?:content/)?(?:images/)?", "", path)
    if path.startswith("..") or path in ("", "."):
        return None
    return unicodedata.normalize("NFC", path)


def path_below_images(path: str) -> str:
    """Return a path of the front matter without the way to content/images in front of it.

    It is no URL: ``%``, ``#`` and ``?`` belong to the name. What leads elsewhere stays as written.
    """
    path = unicodedata.normalize("NFC", path)
    return re.sub(r"^(?:(?:\./|/|(?:\.\./)+)?(?:content/)?images/|\./)", "", path)
