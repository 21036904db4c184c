"""Where things lie in the archive, below its address: the paths that mails carry for good."""

from __future__ import annotations

from hashlib import sha256

from upcycle_news.models import InlineImage

HOME = ""
ARCHIVE = "archive/"
ESSAYS = "essays/"
IMAGES = "images/"
FEED = "feed.xml"
SITEMAP = "sitemap.xml"
ROBOTS = "robots.txt"
STYLE = "style.css"
MISSING = "404.html"
INDEX = "index.html"

_SUFFIXES = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif"}


def issue_path(issue: str) -> str:
    """The page of an issue, ``archive/2026-11-26/``."""
    return f"{ARCHIVE}{issue}/"


def essay_path(slug: str) -> str:
    """The page of an essay, by the name of its file."""
    return f"{ESSAYS}{slug.lstrip('.') or 'essay'}/"


def hosted_name(image: InlineImage) -> str:
    """The file name under which an image is published: another picture has another name."""
    return f"{sha256(image.data).hexdigest()[:32]}.{_SUFFIXES[image.content_type]}"


def image_path(image: InlineImage) -> str:
    """A picture, named after its content."""
    return f"{IMAGES}{hosted_name(image)}"


def file_of(path: str) -> str:
    """The file that answers at a path: a page lies in its folder."""
    return f"{path}{INDEX}" if path == HOME or path.endswith("/") else path
