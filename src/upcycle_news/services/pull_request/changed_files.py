"""What a branch changes in a publication against its base, and the base's files beside it."""

from __future__ import annotations

import os
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from upcycle_news.config.settings import FILE_NAME
from upcycle_news.errors import UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Finding
from upcycle_news.services.content.git_sync import run_git

SHOWN = ("content", "templates", FILE_NAME)
"""The files of a publication from which issues are made, relative to its folder."""


@dataclass(frozen=True)
class ChangedFiles:
    """The files among `SHOWN` that differ from the base, and those of them that the base lacks.

    `base` is the commit where the branch left the base. Paths are relative to the publication, which lies
    in the folder `prefix` of the repository (``letter/``; mostly empty).
    """

    base: str
    prefix: str
    changed: tuple[str, ...]
    added: frozenset[str]


def changed_files(home: Path, base: str) -> ChangedFiles:
    """Return what the working tree below `home` changes since it parted from the branch or commit `base`.

    Files that git does not know yet count as added. Raises `UpcycleError` with the cure without git, for
    an unknown `base`, and for a clone that is too shallow to hold the commit where the two parted.
    """
    if not base or base.startswith("-") or _git(home, "rev-parse", "--git-dir").returncode:
        raise UpcycleError(localized("pull-request-no-git", base=base))
    if _git(home, "rev-parse", "--verify", "--quiet", f"{base}^{{commit}}").returncode:
        raise UpcycleError(localized("pull-request-base-unknown", base=base))
    parted = _git(home, "merge-base", base, "HEAD")
    if parted.returncode:
        raise UpcycleError(localized("pull-request-shallow", base=base))
    commit = parted.stdout.strip()
    # Against the working tree: an editor may look before the commit.
    status = _records(_git(home, "diff", "--name-status", "--no-renames", "--relative", "-z", commit, "--", *SHOWN).stdout)  # fmt: skip
    differing = list(zip(status[::2], status[1::2], strict=True))
    new = _records(_git(home, "ls-files", "--others", "--exclude-standard", "-z", "--", *SHOWN).stdout)  # fmt: skip
    added = {path for letter, path in differing if letter == "A"} | set(new)
    prefix = _git(home, "rev-parse", "--show-prefix").stdout.strip()
    changed = {path for _, path in differing} | added
    return ChangedFiles(commit, prefix, tuple(sorted(changed)), frozenset(added))


def copy_base(home: Path, commit: str, folder: Path) -> None:
    """Write the files among `SHOWN` as a commit has them into `folder`; those that it lacks are left out.

    Raises `UpcycleError` when git cannot pack them, or a link among them leads out of the folder.
    """
    there = _records(_git(home, "ls-tree", "--name-only", "-z", commit, "--", *SHOWN).stdout)
    if not there:
        return
    archive = folder / "base.tar"
    packed = _git(home, "archive", f"--output={archive}", commit, "--", *there)
    if packed.returncode:
        raise UpcycleError(localized("pull-request-base-unknown", base=commit))
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(folder, filter="data")
    except tarfile.TarError as error:
        raise UpcycleError(localized("pull-request-base-link", reason=str(error))) from error
    finally:
        archive.unlink(missing_ok=True)


def foreign_links(home: Path) -> Iterator[Finding]:
    """Yield an error for each symbolic link among `SHOWN` that leads out of `home`.

    A stranger's branch could show files of the machine by it.
    """
    root = home.resolve()
    for path in (found for name in SHOWN for found in _with_all_below(home / name)):
        if path.is_symlink() and not path.resolve().is_relative_to(root):
            where = path.relative_to(home).as_posix()
            yield Finding("error", "link-outside", where, localized("link-outside"))


def _with_all_below(path: Path) -> Iterator[Path]:
    """Yield a path and everything below it, folders and links included; no link is followed."""
    yield path
    for folder, folders, files in os.walk(path) if not path.is_symlink() else ():
        yield from (Path(folder, name) for name in sorted([*folders, *files]))


def _records(output: str) -> list[str]:
    return [record for record in output.split("\0") if record]


def _git(home: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    try:
        return run_git(home, *arguments)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UpcycleError(localized("pull-request-no-git", base="")) from error
