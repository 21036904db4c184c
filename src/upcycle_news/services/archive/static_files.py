"""Files that a publication puts into its archive itself: what lies in content/static, under the same names."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from pathlib import Path, PurePosixPath

from upcycle_news.app.context import AppContext
from upcycle_news.errors import ContentError
from upcycle_news.fileio import entries_below, os_reason
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import Finding
from upcycle_news.models.archive_paths import STATIC, is_reserved

MAX_BYTES = 30_000_000
"""Bytes of a file at the most: a build holds all files in memory, and a phone has to load it."""

_WELL_KNOWN = ".well-known"
_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff")
_GPS = 0x8825  # the EXIF directory with the place (CIPA DC-008, 4.6.3)


def read_static_files(context: AppContext) -> dict[str, bytes]:
    """Return the files of content/static by their paths in the archive.

    Raises `ContentError` for one that cannot be published: `static_findings` has a sentence for each.
    """
    files = {}
    for published, path, problem in _files(context):
        if problem is not None:
            raise ContentError(_place(context, path), None, problem)
        try:
            files[published] = path.read_bytes()
        except OSError as error:
            reason = localized("file-unreadable", reason=os_reason(error))
            raise ContentError(_place(context, path), None, reason) from None
    return files


def static_paths(context: AppContext) -> frozenset[str]:
    """Return the paths in the archive of the files of content/static."""
    return frozenset(published for published, _, problem in _files(context) if problem is None)


def static_findings(context: AppContext) -> Iterator[Finding]:
    """Yield an error for each file of content/static that cannot be published, a warning for one that says too much."""
    for _, path, problem in _files(context):
        if problem is not None:
            yield Finding("error", "static-file", _place(context, path), problem)
        elif path.suffix.lower() in _PICTURES and _says_where(path):
            yield Finding(
                "warning", "static-place", _place(context, path), localized("static-place")
            )


def _files(context: AppContext) -> Iterator[tuple[str, Path, LocalizedText | None]]:
    """Yield path in the archive, file, and why it cannot be published; hidden files are left out.

    The one hidden folder that is published is .well-known (RFC 8615).
    """
    folder = context.content_folder / STATIC
    try:
        files = entries_below(folder)
    except OSError as error:
        reason = localized("folder-unreadable", reason=os_reason(error))
        raise ContentError(_place(context, folder), None, reason) from None
    seen: set[str] = set()
    for path in files:
        name = unicodedata.normalize("NFC", path.relative_to(folder).as_posix())
        parts = PurePosixPath(name).parts
        if any(part.startswith(".") for part in (parts[1:] if parts[0] == _WELL_KNOWN else parts)):
            continue
        further = context.publication.languages[1:]
        yield name, path, _problem(folder, path, name, seen, further)
        seen.add(name)


def _problem(
    folder: Path, path: Path, name: str, seen: set[str], languages: Sequence[str]
) -> LocalizedText | None:
    if is_reserved(name, languages):
        return localized("static-reserved", name=name)
    if name in seen:
        return localized("static-twice", name=name)
    if not name.isprintable():
        return localized("static-name")
    if not path.is_file():
        return localized("static-no-file")
    # A link that leads elsewhere may publish what nobody meant to: a key, or the store.
    if not path.resolve().is_relative_to(folder.resolve()):
        return localized("static-link")
    size = path.stat().st_size
    return localized("static-large", size=size, limit=MAX_BYTES) if size > MAX_BYTES else None


def _place(context: AppContext, path: Path) -> str:
    home = context.settings.home
    place = (path.relative_to(home) if path.is_relative_to(home) else path).as_posix()
    return "".join(letter if letter.isprintable() else "\ufffd" for letter in place)


def _says_where(path: Path) -> bool:
    """Tell whether the file of a picture has the place where it was taken."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return bool(image.getexif().get_ifd(_GPS))
    except (OSError, ValueError, SyntaxError):  # no picture that Pillow can read
        return False
