"""Paths of the archive site, relative to its URL. Sent mails link to them, so they never change."""

from __future__ import annotations

from collections.abc import Collection
from hashlib import sha256

from upcycle_news.models import InlineImage, IssueId

HOME = ""
ARCHIVE = "archive/"
ESSAYS = "essays/"
IMAGES = "images/"
SEARCH = "search/"
FEED = "feed.xml"
SITEMAP = "sitemap.xml"
ROBOTS = "robots.txt"
STYLE = "style.css"
MISSING = "404.html"
INDEX = "index.html"
REVISION = "revision.txt"

QUESTION = "question"
"""The first segment of the pages on which readers answer an issue's question; the web server has them."""

STATIC = "static"
"""The folder below content/ whose files a publication adds to the archive itself."""

PERSONAL = ("confirm", "unsubscribe", "preferences", "address", "preview", "report")
"""The first segments of links that are for one person: behind each is a token."""

_RESERVED = frozenset(
    {
        *(folder.rstrip("/") for folder in (ARCHIVE, ESSAYS, IMAGES, SEARCH)),
        *(FEED, SITEMAP, ROBOTS, STYLE, MISSING, INDEX),
        # What the web server answers beside the archive.
        *PERSONAL,
        *("subscribe", "signup.js", "bounces", "events", "api", "metrics", "healthz", QUESTION),
    }
)

_SUFFIXES = {"image/png": "png", "image/jpeg": "jpg", "image/gif": "gif"}


def in_folder(path: str, folder: str) -> str:
    """Return a path in the folder of a language, ``en/archive/``; without a folder, the path itself."""
    return f"{folder}/{path}" if folder else path


def issue_path(issue: str, folder: str = "") -> str:
    """Return the path of an issue's page, ``archive/2026-11-26/``, or ``en/archive/2026-11-26/``."""
    return in_folder(f"{ARCHIVE}{issue}/", folder)


def page_of(issue: IssueId, folder: str = "") -> str:
    """Return the path of the page that an issue's mail leads to: its own, or that of the issue that it corrects."""
    return issue_path(str(issue.original), folder)


def revision_path(issue: str) -> str:
    """Return the path of the file that says which revision of an issue went out."""
    return f"{issue_path(issue)}{REVISION}"


def question_path(issue: str) -> str:
    """Return the path of the page with an issue's question, below the public address."""
    return f"{QUESTION}/{issue}"


def essay_path(slug: str, folder: str = "") -> str:
    """Return the path of an essay's page, named after its file; a translation's is in its `folder`."""
    return in_folder(f"{ESSAYS}{slug.lstrip('.') or 'essay'}/", folder)


def event_path(slug: str, number: int, folder: str = "") -> str:
    """Return the path of the calendar file of an essay's event; events are numbered from 1."""
    return f"{essay_path(slug, folder)}event-{number}.ics"


def hosted_name(image: InlineImage) -> str:
    """Return the file name of a hosted image, derived from its content."""
    return f"{sha256(image.data).hexdigest()[:32]}.{_SUFFIXES[image.content_type]}"


def image_path(image: InlineImage) -> str:
    """Return the path of a hosted image."""
    return f"{IMAGES}{hosted_name(image)}"


def file_of(path: str) -> str:
    """Return the file that serves a path: ``index.html`` for a path that ends with a slash."""
    return f"{path}{INDEX}" if path == HOME or path.endswith("/") else path


def is_reserved(path: str, folders: Collection[str] = ()) -> bool:
    """Tell whether a path is one of the archive's own or of the web server's, whatever its case.

    `folders` are those of further languages, which have the same names in them.
    """
    first, slash, rest = path.casefold().partition("/")
    if slash and first in folders:
        first = rest.partition("/")[0]
    return first in _RESERVED
