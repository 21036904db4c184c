"""Files are written whole or not at all, and a mistake in one has a line."""

from __future__ import annotations

import os
import re
import tempfile
from pathlib import Path

from upcycle_news.errors import UpcycleError


def write_whole(path: Path, data: bytes, *, exclusive: bool = False, private: bool = False) -> None:
    """Write `data` beside `path` and move it there in one step.

    With `exclusive` an existing file is left alone; `private` files are the owner's only. Raises
    `UpcycleError` with the cure.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, draft = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            Path(draft).chmod(0o600 if private else 0o644)
            if exclusive:
                os.link(draft, path)
            else:
                Path(draft).replace(path)
        finally:
            Path(draft).unlink(missing_ok=True)
    except OSError as error:
        if exclusive and path.exists():
            raise UpcycleError(f"{path}: exists already and was left alone") from None
        raise UpcycleError(
            f"{path}: cannot be written ({error.strerror}); make room or make the folder writable"
        ) from None


def toml_mistake(error: Exception, text: str) -> tuple[int, str]:
    """The 1-based line in `text` and the words of what tomllib says; no line means the end."""
    told = str(error)
    line = re.search(r"at line (\d+)", told)
    return (
        int(line[1]) if line else len(text.splitlines()) or 1,
        re.sub(r"\s*\(at .*\)$", "", told),
    )
