"""Files that editors write: decoded, cleaned, and refused with the line of the first mistake."""

from __future__ import annotations

import re
import tomllib
import unicodedata
from pathlib import Path
from typing import Any

from upcycle_news.errors import ContentError
from upcycle_news.files import toml_mistake
from upcycle_news.sayings import say

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
        raise ContentError(
            where, None, say("file-unreadable", reason=error.strerror or str(error))
        ) from None
    if len(data) > MAX_BYTES:
        raise ContentError(where, None, say("file-too-large"))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ContentError(where, line, say("file-not-utf8", byte=data[error.start])) from None
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    if bad := _REFUSED.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        raise ContentError(where, line, say("file-control", code=f"U+{ord(bad[0]):04X}"))
    return text


def parse_toml(text: str, where: str, example: str) -> dict[str, Any]:
    """Read TOML; raises `ContentError` with the line, and an `example` of what to write."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        line, what = toml_mistake(error, text)
        said = say("toml-broken", reason=what, example=example)
        raise ContentError(where, line, said) from None
