"""What lies in an archive's folder: the files that we wrote, and the issues whose pages are there."""

from __future__ import annotations

import re
from pathlib import Path

from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.models.archive_paths import ARCHIVE, INDEX

LISTING = ".upcycle-news"
"""The file that lists what we wrote, so that nothing else is ever overwritten or removed."""

_DAY = r"\d{4}-\d\d-\d\d(?:-\d{1,2})?"
_ISSUE_PAGE = re.compile(rf"{ARCHIVE}({_DAY})/{re.escape(INDEX)}\Z")
_ANY_PAGE = re.compile(rf"{ARCHIVE}({_DAY}(?:-d\d{{1,2}})?)/{re.escape(INDEX)}\Z")


def read_listing(folder: Path) -> set[str]:
    """Return the paths of the files that we wrote into a folder; raises `OSError`."""
    try:
        lines = (folder / LISTING).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return set()
    # Others may write in a published folder; a path that leads out of it was never ours.
    return {line for line in lines if not line.startswith("/") and ".." not in line.split("/")}


def issue_pages(folder: Path, *, listed_only: bool = True, digests: bool = False) -> set[str]:
    """Return the issues whose pages a folder holds; raises `UpcycleError` when it cannot be read.

    With `listed_only` those that we wrote: the folder may hold other sites as well. With `digests` those, too:
    a digest tells again what issues told, so its page alone says nothing about what went out.
    """
    try:
        paths = read_listing(folder)
        if not listed_only:
            found = folder.glob(f"{ARCHIVE}*/{INDEX}")
            paths |= {path.relative_to(folder).as_posix() for path in found}
        pattern = _ANY_PAGE if digests else _ISSUE_PAGE
        pages = ((path, pattern.match(path)) for path in paths)
        return {match[1] for path, match in pages if match and (folder / path).is_file()}
    except NotADirectoryError:
        return set()
    except OSError as error:
        raise UpcycleError(
            localized("archive-unreadable", folder=str(folder), reason=error.strerror or str(error))
        ) from None
