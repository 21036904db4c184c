"""Files that editors write: decoded, cleaned, and refused with the line of the first mistake."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from pathlib import Path
from typing import Any

from upcycle_news.errors import ContentError

MAX_BYTES = 2 * 1024 * 1024

# Control characters, and the bidi overrides that make a text read differently than it is written.
_REFUSED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def shown(path: Path, root: Path) -> str:
    """Return `path` as messages show it: relative to the publication's root, with slashes."""
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return path.as_posix()


def read_text(path: Path, where: str) -> str:
    """Read a content file as NFC text with Unix line ends; raises `ContentError` with the line."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ContentError(where, None, f"cannot be read: {error.strerror or error}") from None
    if len(data) > MAX_BYTES:
        raise ContentError(
            where, None, "is larger than 2 MiB (an essay is text; images go to content/images)"
        )
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ContentError(
            where, line, f"the byte {data[error.start]:#04x} is not UTF-8 (save the file as UTF-8)"
        ) from None
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    if bad := _REFUSED.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        raise ContentError(where, line, f"the control character U+{ord(bad[0]):04X} (delete it)")
    return text


def parse_toml(text: str, where: str, example: str) -> dict[str, Any]:
    """Read TOML; raises `ContentError` with the line, and an `example` of what to write."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        line = re.search(r"at line (\d+)", str(error))
        what = re.sub(r" \(at .*\)$", "", str(error))
        number = int(line[1]) if line else text.count("\n") + 1
        raise ContentError(where, number, f"not TOML: {what} (write {example})") from None
