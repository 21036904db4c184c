"""Bring the archive to the host that serves it, by the operator's own command."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping
from hashlib import sha256

from upcycle_news.errors import UpcycleError
from upcycle_news.files import write_whole
from upcycle_news.newsroom import Newsroom

PATIENCE = 600
"""Seconds that `archive.command` may take."""


def run_command(room: Newsroom, files: Mapping[str, bytes]) -> None:
    """Run `archive.command`, once for each state of the files; raises `UpcycleError`.

    Until it has succeeded it is run at every build: an issue leaves only after it.
    """
    command = room.settings.archive.command
    if not command:
        return
    digest = sha256()
    for path, data in sorted(files.items()):
        digest.update(f"{path}\n{sha256(data).hexdigest()}\n".encode())
    mark, done = digest.hexdigest().encode(), room.settings.state / "archive.published"
    if done.is_file() and done.read_bytes() == mark:
        return
    words = [word.replace("{folder}", str(room.archive)) for word in command]
    try:
        ended = subprocess.run(  # noqa: S603  the operator's own command, no shell
            words, cwd=room.settings.home, capture_output=True, text=True, timeout=PATIENCE,
            check=False,
        )  # fmt: skip
    except OSError as error:
        raise UpcycleError(f"archive.command: {words[0]}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise UpcycleError(f"archive.command: {words[0]}: no end within {PATIENCE} s") from None
    if ended.returncode != 0:
        said = (ended.stderr or ended.stdout).strip().splitlines()
        told = f": {said[-1][:200]}" if said else ""
        raise UpcycleError(f"archive.command: {words[0]} ended with {ended.returncode}{told}")
    write_whole(done, mark)
