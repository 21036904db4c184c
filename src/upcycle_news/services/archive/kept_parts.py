"""What a build keeps for the next one, as files beside the archive; what cannot be read is as if it were not there.

    site.json             what is kept of the whole site and of each issue
    words/CONTENT.json    what the search finds of an issue with this content
    search/LANGUAGE.json  the index of the search in the folder of a language; main.json is that without one

The first line of each is the SHA-256 of the rest, so that half a file, or a damaged one, is none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from upcycle_news.archive_site.builder import BuiltSite, Documents
from upcycle_news.archive_site.reuse import (
    KeptSearch,
    KeptSite,
    decode_documents,
    decode_search,
    decode_site,
    digest_of,
    encode_documents,
    encode_search,
    encode_site,
)
from upcycle_news.errors import UpcycleError
from upcycle_news.fileio import write_atomically

FOLDER = "archive.kept"

Kept = TypeVar("Kept")


class KeptParts:
    """The folder with what builds keep, below the publication's state."""

    def __init__(self, state: Path, *, anew: bool = False) -> None:
        """With `anew` nothing of earlier builds is read."""
        self._folder, self._anew = state / FOLDER, anew
        self._read: KeptSite | None = None

    def site(self) -> KeptSite:
        """Return what the last build kept of the site and of each issue; nothing if it cannot be read."""
        self._read = self._load("site", decode_site)
        return self._read or KeptSite()

    def documents(self, content: str) -> Documents | None:
        """Return what the search finds of an issue, None if that cannot be read."""
        return self._load(f"words/{content}", decode_documents)

    def search(self, folder: str) -> KeptSearch | None:
        """Return the index of the search in a language, None if that cannot be read."""
        return self._load(_search_name(folder), decode_search)

    def write(self, built: BuiltSite) -> None:
        """Keep this for the next build. Where it cannot be written, that one has more to do."""
        if built.kept == self._read and not built.documents:
            return
        with suppress(UpcycleError, OSError):
            for content, found in built.documents.items():
                self._write(f"words/{content}", encode_documents(found))
            for folder, search in built.search.items():
                self._write(_search_name(folder), encode_search(search))
            self._write("site", encode_site(built.kept))
            self._remove_others("words", built.kept.issues)
            self._remove_others("search", {folder or "main" for folder in built.kept.feed})

    def _remove_others(self, folder: str, names: Collection[str]) -> None:
        """Remove what is of no use any more; it may hold words that were withdrawn."""
        for file in (self._folder / folder).glob("*"):
            if file.stem not in names:
                file.unlink()

    def _load(self, name: str, decode: Callable[[bytes], Kept]) -> Kept | None:
        if self._anew:
            return None
        try:
            digest, _, data = (self._folder / f"{name}.json").read_bytes().partition(b"\n")
            return decode(data) if digest.decode() == digest_of(data) else None
        except (OSError, ValueError, LookupError, TypeError, AttributeError, UpcycleError):
            return None  # of another version, half, or not there

    def _write(self, name: str, data: bytes) -> None:
        write_atomically(self._folder / f"{name}.json", f"{digest_of(data)}\n".encode() + data)


def _search_name(folder: str) -> str:
    return f"search/{folder or 'main'}"
