"""Read text and TOML files with the line of the first mistake; write files atomically."""

from __future__ import annotations

import errno
import os
import re
import select
import stat
import sys
import tempfile
import tomllib
import unicodedata
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO

from upcycle_news.errors import ContentError, UpcycleError
from upcycle_news.i18n.messages import LocalizedText, localized

MAX_BYTES = 2 * 1024 * 1024

# Control characters, and the bidi overrides that make a text read differently than it is written.
_REFUSED = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ufffe\uffff]")


def display_path(path: Path, root: Path) -> str:
    """Return `path` as messages show it: relative to the publication's root, with slashes."""
    try:
        return path.relative_to(root).as_posix()
    except ValueError:
        return path.as_posix()


def read_text(path: Path, where: str) -> str:
    """Read a content file as NFC text with Unix line ends; raises `ContentError` with the line."""
    try:
        data = read_file(path)
    except OSError as error:
        raise ContentError(
            where, None, localized("file-unreadable", reason=os_reason(error))
        ) from None
    if len(data) > MAX_BYTES:
        raise ContentError(where, None, localized("file-too-large"))
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ContentError(
            where, line, localized("file-not-utf8", byte=data[error.start])
        ) from None
    text = unicodedata.normalize("NFC", text.replace("\r\n", "\n").replace("\r", "\n"))
    if bad := _REFUSED.search(text):
        line = text.count("\n", 0, bad.start()) + 1
        raise ContentError(where, line, localized("file-control", code=f"U+{ord(bad[0]):04X}"))
    return text


def read_file(path: Path) -> bytes:
    """Return the content of a file; raises `OSError`, also for a folder, a pipe or a device."""
    with open_file(path) as file:
        return file.read()


def open_file(path: Path) -> BinaryIO:
    """Open a file to read; raises `OSError`, also for a folder, a pipe or a device."""
    file = os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb")
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise OSError(errno.ESPIPE, os.strerror(errno.ESPIPE), str(path))


def read_given_file(path: Path, limit: int = sys.maxsize) -> bytes:
    """Return up to `limit` bytes of a file that the user named, which may be the shell's ``<(…)``.

    Raises `OSError`, also for a folder, a device, and a pipe that nobody writes to: opening that as
    usual would wait for ever.
    """
    number = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(number, "rb", buffering=0) as file:
        mode = os.fstat(number).st_mode
        if not stat.S_ISREG(mode) and not stat.S_ISFIFO(mode):
            kind = errno.EISDIR if stat.S_ISDIR(mode) else errno.ESPIPE
            raise OSError(kind, os.strerror(kind), str(path))
        content = bytearray()
        while len(content) < limit:
            # None: the pipe has a writer and is empty now. Empty: its end, or it has no writer.
            if (piece := file.read(min(limit - len(content), 1 << 20))) is None:
                select.select([number], [], [])
            elif piece:
                content += piece
            else:
                break
        if stat.S_ISFIFO(mode) and not content:
            raise OSError(errno.ESPIPE, os.strerror(errno.ESPIPE), str(path))
        return bytes(content)


def exists(path: Path) -> bool:
    """Return True if `path` is there; raises `OSError` when that cannot be seen.

    `Path.exists` says no, in some versions of Python, to what it may not look at.
    """
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def list_folder(folder: Path) -> list[Path]:
    """Return what is in `folder` in the order of the names; nothing without it.

    Raises `OSError` for one that cannot be read, which is an empty one for `Path.glob`.
    """
    try:
        return sorted(folder.iterdir())
    except FileNotFoundError:
        return []


def files_below(folder: Path) -> list[Path]:
    """Return all files below `folder` in the order of their paths; nothing without it.

    Raises `OSError` for a folder that cannot be read, which is an empty one for `Path.rglob`.
    """
    return [path for path in entries_below(folder) if path.is_file()]


def entries_below(folder: Path) -> list[Path]:
    """Return the files below `folder`, and what is neither file nor folder there, as `files_below` does.

    That is a link to a folder, which is not followed, a link to nothing, or a socket.
    """
    found = []
    for path in list_folder(folder):
        found += entries_below(path) if path.is_dir() and not path.is_symlink() else [path]
    return sorted(found)


def similar_name(path: str, known: Iterable[str]) -> LocalizedText | str:
    """Return `` (did you mean 'Bahnhof.JPG'?)`` for a file of nearly this name, empty for none.

    A file of the same name in another case or folder comes first.
    """
    files = sorted(known)
    by_name = {PurePosixPath(file).name.casefold(): file for file in reversed(files)}
    name = PurePosixPath(path).name.casefold()
    close = get_close_matches(name, by_name, n=1, cutoff=0.8)
    return localized("did-you-mean", name=by_name[close[0]]) if close else ""


def os_reason(error: OSError) -> LocalizedText:
    """Return why the system refused a file, in every language: its own words are of one."""
    if error.errno == errno.ENOENT:
        return localized("os-not-there")
    if error.errno in (errno.EACCES, errno.EPERM):
        return localized("os-not-allowed")
    if error.errno == errno.EISDIR:
        return localized("os-folder")
    if error.errno == errno.ENOTDIR:
        return localized("os-no-folder")
    if error.errno == errno.EEXIST:  # of a folder that was to be made
        return localized("os-in-the-way")
    if error.errno == errno.ESPIPE:
        return localized("os-no-file")
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return localized("os-full")
    if error.errno == errno.ENAMETOOLONG:
        return localized("os-long-name")
    return localized("os-other", name=errno.errorcode.get(error.errno or 0, "OSError"))


def parse_toml(text: str, where: str, example: str | LocalizedText) -> dict[str, Any]:
    """Read TOML; raises `ContentError` with the line, and an `example` of what to write."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        line, what = toml_error(error, text)
        message = localized("toml-broken", reason=what, example=example)
        raise ContentError(where, line, message) from None


def find_file(folder: Path, path: str) -> Path | None:
    """Return the file at `path` below `folder`, its name in whatever form the disk keeps it, or None.

    macOS and its archives write ``ü`` as two characters (NFD), keyboards as one (NFC): names are the
    same that are the same in NFC (UAX #15). A name that is there exactly as written comes first.
    """
    if (folder / path).is_file():
        return folder / path
    found = folder
    for name in PurePosixPath(unicodedata.normalize("NFC", path)).parts:
        try:
            entries = sorted(found.iterdir())
        except OSError:
            return None
        same = (entry for entry in entries if unicodedata.normalize("NFC", entry.name) == name)
        if (entry := next(same, None)) is None:
            return None
        found = entry
    return found if found.is_file() else None


def did_you_mean(word: str, known: Iterable[str]) -> LocalizedText:
    """Return `` (did you mean 'title'?)``, or all that is known when nothing comes close."""
    names = sorted(known)
    close = get_close_matches(word.lower(), names, n=1, cutoff=0.6)
    if close:
        return localized("did-you-mean", name=close[0])
    return localized("known-are", names=tuple(names))


def write_atomically(
    path: Path, data: bytes, *, exclusive: bool = False, private: bool = False
) -> None:
    """Write `data` to a temporary file beside `path` and rename it.

    With `exclusive` an existing file is kept and an error; `private` files get mode 0600. Raises
    `UpcycleError` with the fix.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(temporary).chmod(0o600 if private else 0o644)
            if exclusive:
                os.link(temporary, path)
            else:
                Path(temporary).replace(path)
        finally:
            Path(temporary).unlink(missing_ok=True)
    except OSError as error:
        if exclusive and path.exists():
            raise UpcycleError(localized("file-exists", path=path)) from None
        raise UpcycleError(
            localized("file-not-written-room", path=path, why=os_reason(error))
        ) from None


def toml_error(error: Exception, text: str) -> tuple[int, LocalizedText]:
    """Return the 1-based line of a tomllib error, without one the last, and what is wrong there."""
    message = str(error)
    line = re.search(r"at line (\d+)", message)
    return int(line[1]) if line else len(text.splitlines()) or 1, _explain_toml(message)


def _explain_toml(message: str) -> LocalizedText:
    """Return what an error of tomllib means to an editor; its own messages are English."""
    if table := re.match(
        r"Cannot (?:declare|redefine namespace|mutate immutable namespace) \((.*?)\)", message
    ):
        name = ".".join(re.findall(r"'([^']*)'", table[1]))
        return localized("toml-table-twice", name=name[:40])
    if re.match(r"Cannot overwrite a value|Duplicate inline table key", message):
        return localized("toml-key-twice")
    if re.match(r"Unterminated string|(?:Illegal|Found invalid) character '\\n'", message):
        return localized("toml-text-open")
    if re.match(r"Unclosed|Expected '\]{1,2}'", message):
        return localized("toml-bracket-open")
    if re.match(r"Expected '='", message):
        return localized("toml-no-equals")
    if re.match(r"Invalid (?:value|date)", message):
        return localized("toml-value")
    if re.match(r"Unescaped|Invalid hex|Escaped", message):
        return localized("toml-backslash")
    if re.match(r"Expected newline", message):
        return localized("toml-rest-of-line")
    return localized("toml-unreadable")


def line_of(source: str, keys: tuple[str | int, ...]) -> int | None:
    """Return the 1-based line of a key in a TOML text, else of its table, else None.

    A number among the keys says which of a list of tables is meant, from 0.
    """
    names = [str(key) for key in keys if not isinstance(key, int)]
    number_of_table = next((key for key in keys if isinstance(key, int)), 0)
    table: list[str] = []
    header: int | None = None
    passed = -1
    for number, line in enumerate(source.splitlines(), start=1):
        if match := re.match(r"\s*(\[+)\s*([^\]]+?)\s*\]+\s*(#.*)?$", line):
            table = [part.strip(" \"'") for part in match[2].split(".")]
            if len(match[1]) == 2 and table == names[: len(table)]:
                passed += 1
                if passed != number_of_table:
                    table = [""]  # another table of the list
                    continue
            if table == names[: len(table)]:
                header = number
                if table == names:
                    return number
        elif match := re.match(r"\s*([\w.\"'-]+)\s*=", line):
            path = table + [part.strip("\"'") for part in match[1].split(".")]
            if path == names[: len(path)]:
                return number
    return header
