"""Loads the templates of a publication from their folder; the only module here with I/O."""

from __future__ import annotations

from pathlib import Path

from upcycle_news.errors import TemplateError
from upcycle_news.fileio import files_below, os_reason
from upcycle_news.i18n.messages import localized

SUFFIXES = frozenset({".mjml", ".txt", ".css", ".toml", ".html"})
"""Suffixes of template files; other files in the folder are ignored."""

REQUIRED = ("newsletter.mjml", "newsletter.txt", "theme.toml")


def load_templates(folder: Path) -> dict[str, str]:
    r"""Return all templates below `folder` by their posix paths relative to it, sorted.

    Raises `TemplateError` for a missing folder, a missing `REQUIRED` file and a file that is not
    UTF-8. Line ends become ``\n``, so that a checkout on Windows gives the same revision.
    """
    if not folder.is_dir():
        raise TemplateError(folder, None, localized("template-folder"))
    texts = read_templates(folder)
    for name in REQUIRED:
        if name not in texts:
            raise TemplateError(folder / name, None, localized("template-missing"))
    return texts


def read_templates(folder: Path) -> dict[str, str]:
    """Return what `load_templates` does, whichever files there are; raises `TemplateError` for an unreadable one."""
    try:
        files = files_below(folder)
    except OSError as error:
        raise TemplateError(
            error.filename or folder, None, localized("folder-unreadable", reason=os_reason(error))
        ) from None
    return {
        path.relative_to(folder).as_posix(): _read(path)
        for path in files
        if path.suffix in SUFFIXES and not path.name.startswith(".")
    }


def _read(path: Path) -> str:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise TemplateError(
            path, None, localized("file-unreadable", reason=os_reason(error))
        ) from error
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise TemplateError(path, line, localized("template-not-utf8")) from error
    return text.replace("\r\n", "\n").replace("\r", "\n")
