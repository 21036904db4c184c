"""What the system refuses (a full disk, a folder that may not be read) as one sentence for editors."""

from __future__ import annotations

import errno
import os

from upcycle_news.config.settings import publication_language
from upcycle_news.errors import UpcycleError
from upcycle_news.fileio import os_reason
from upcycle_news.i18n.messages import localized

# What writing to a stream can meet; a stream has no name in the error, a file has.
_OUTPUT = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EBADF)


def from_system_error(error: OSError, language: str | None = None) -> UpcycleError:
    """Return the error to raise for what the system refused, which names the file and why.

    Its `language` is the one given, else that of the publication in the current folder.
    """
    if _has_no_folder():
        text = localized("folder-gone")
    elif error.filename is not None:
        text = localized("system-file", file=os.fsdecode(error.filename), reason=os_reason(error))
    elif error.errno in _OUTPUT:
        text = localized("system-output", reason=os_reason(error))
    else:
        text = localized("system-other", reason=os_reason(error))
    sentence = UpcycleError(text)
    sentence.language = language or publication_language()
    return sentence


def _has_no_folder() -> bool:
    """Return True if the current folder was deleted while the program runs in it."""
    try:
        os.getcwd()  # noqa: PTH109  Path.cwd() is the same
    except OSError:
        return True
    return False
