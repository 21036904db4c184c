"""What a build keeps for the next one, as files beside the archive; whatever cannot be read is as if it were not there.

    site.json        what is kept of the whole site and of each issue
    words/KEY.json   what the search finds of an issue with this content

The first line of each is the SHA-256 of the rest, so that half a file, or a damaged one, is none.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from upcycle_news.archive_site.builder import Documents
from upcycle_news.archive_site.reuse import (
    KeptSite,
    decode_documents,
    decode_site,
    digest_of,
    encode_documents,
    encode_site,
)
from upcycle_news.errors import UpcycleError
from upcycle_news.fileio import write_atomically

FOLDER = "archive.kept"


class KeptParts:
    """The folder with what builds keep, below the publication's state."""

    def __init__(self, state: Path) -> None:
        self._site = state / FOLDER / "site.json"
        self._words = state / FOLDER / "words"
        self._read: KeptSite | None = None

    def read(self) -> KeptSite:
        """Return what the last build kept; nothing if it cannot be read."""
        with suppress(OSError, ValueError, LookupError, TypeError, AttributeError, UpcycleError):
            self._read = decode_site(_checked(self._site))
        return self._read or KeptSite()

    def documents(self, content: str) -> Documents | None:
        """Return what the search finds of an issue, None if that cannot be read."""
        try:
            return decode_documents(_checked(self._words / f"{content}.json"))
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            return None

    def write(self, site: KeptSite, documents: Mapping[str, Documents]) -> None:
        """Keep this for the next build. Where it cannot be written, that one has more to do."""
        if site == self._read and not documents:
            return
        with suppress(UpcycleError, OSError):
            for content, found in documents.items():
                _write(self._words / f"{content}.json", encode_documents(found))
            _write(self._site, encode_site(site))
            for file in self._words.iterdir():
                if file.stem not in site.issues:
                    file.unlink()


def _checked(path: Path) -> bytes:
    digest, _, data = path.read_bytes().partition(b"\n")
    if digest.decode() != digest_of(data):
        raise ValueError(path.name)
    return data


def _write(path: Path, data: bytes) -> None:
    write_atomically(path, f"{digest_of(data)}\n".encode() + data)
