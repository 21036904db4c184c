"""Reads the ZIP packages of .docx and .odt, which anybody may have made: every size is counted.

Nothing is written to disk and no name in a package becomes a path. XML with a document type, which
could define entities, is refused; so is what unpacks to more than a manuscript needs.
"""

from __future__ import annotations

import re
import zipfile
import zlib
from io import BytesIO
from typing import Any

from upcycle_news.errors import ContentError
from upcycle_news.i18n.messages import localized
from upcycle_news.text.safe_xml import UnsafeXmlError, parse_xml

MAX_FILE_BYTES = 60_000_000
"""Bytes of a manuscript as handed in."""

MAX_UNPACKED_BYTES = 120_000_000
"""Bytes of all parts of a package that are read, counted as they are unpacked."""

MAX_XML_BYTES = 8_000_000
"""Bytes of one XML part; a book has three million, and its tree in memory fifty times as much."""

MAX_PARTS = 3_000


class Package:
    """The parts of a ZIP file by name; raises `ContentError` at `where` for what is no honest one."""

    def __init__(self, data: bytes, where: str) -> None:
        """Read the table of contents."""
        self.where = where
        self._unpacked = 0
        try:
            self._zip = zipfile.ZipFile(BytesIO(data))
        except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError):
            raise self._error("manuscript-damaged") from None
        members = self._zip.infolist()
        names = [member.filename for member in members]
        if len(members) > MAX_PARTS or len(set(names)) < len(names):
            raise self._error("manuscript-bomb")
        if any(_leaves_folder(name) for name in names):
            raise self._error("manuscript-paths")
        if any(member.flag_bits & 0x1 for member in members):
            raise self._error("manuscript-password")
        self._names = frozenset(names)

    @property
    def names(self) -> frozenset[str]:
        """The names of all parts."""
        return self._names

    def read(self, name: str, limit: int = MAX_UNPACKED_BYTES) -> bytes | None:
        """Return a part, None where there is none."""
        if name not in self._names:
            return None
        limit = min(limit, MAX_UNPACKED_BYTES - self._unpacked)
        try:
            with self._zip.open(name) as part:
                data = part.read(limit + 1)  # never trusts the size that the package announces
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, RuntimeError):
            raise self._error("manuscript-damaged") from None
        self._unpacked += len(data)
        if len(data) > limit:
            raise self._error("manuscript-bomb")
        return data

    def xml(self, name: str) -> Any:
        """Return the root element of an XML part, None where there is none."""
        data = self.read(name, MAX_XML_BYTES)
        return None if data is None else self.parse(data)

    def parse(self, data: bytes) -> Any:
        """Return the root element of XML that belongs to the package."""
        try:
            return parse_xml(data)
        except UnsafeXmlError:
            raise self._error("manuscript-xml") from None

    def _error(self, key: str) -> ContentError:
        texts = {
            "manuscript-damaged": localized("manuscript-damaged"),
            "manuscript-bomb": localized("manuscript-bomb"),
            "manuscript-paths": localized("manuscript-paths"),
            "manuscript-password": localized("manuscript-password"),
            "manuscript-xml": localized("manuscript-xml"),
        }
        return ContentError(self.where, None, texts[key])


def _leaves_folder(name: str) -> bool:
    return name.startswith("/") or ".." in re.split(r"[/\\]", name) or ":" in name or "\\" in name
