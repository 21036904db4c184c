"""Shell completion of issues and essays from the publication's folders, without the store.

A slow answer is worse than none, and an error would be printed into the middle of a prompt: so
neither this module nor those of commands that complete these names import anything heavy at their
top, and what cannot be read offers nothing.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

_ISSUE = re.compile(r"\d{4}-\d\d-\d\d(?:-[1-9]\d?)?(?:-c[1-9])?")
_DAY = re.compile(r"^\d{4}-\d\d-\d\d-(?=.)")


def issue_ids(incomplete: str) -> list[str]:
    """Return the ids of previewed issues that begin with `incomplete`, newest first."""
    names = [path.name for path in _listed(_state() / "issues") if _ISSUE.fullmatch(path.name)]
    return [name for name in sorted(names, reverse=True) if name.startswith(incomplete)]


def essay_slugs(incomplete: str) -> list[str]:
    """Return the slugs of essays that begin with `incomplete`, newest first."""
    stems = [path.stem for path in _listed(_home() / "content/essays") if path.suffix == ".md"]
    slugs = [_DAY.sub("", stem) for stem in sorted(stems, reverse=True)]
    return [slug for slug in slugs if slug.startswith(incomplete)]


def _home() -> Path:
    return Path(os.environ.get("UPCYCLE_NEWS_HOME", ""))


def _state() -> Path:
    folder = os.environ.get("UPCYCLE_NEWS_STATE", "")
    if not folder:
        import tomllib

        try:
            with (_home() / "newsletter.toml").open("rb") as file:
                folder = str(tomllib.load(file).get("state", ""))
        except (OSError, ValueError):
            folder = ""
    return _home() / Path(folder or "var").expanduser()


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
