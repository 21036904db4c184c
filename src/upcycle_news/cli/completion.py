"""What the Tab key offers: names from the folders of the publication, without opening the store.

A slow answer is worse than none, and an error would end up in the middle of somebody's prompt: so
nothing heavy is imported here, and what cannot be read offers nothing.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

_ISSUE = re.compile(r"\d{4}-\d\d-\d\d(?:-[1-9]\d?)?")
_DAY = re.compile(r"^\d{4}-\d\d-\d\d-(?=.)")


def issue_ids(incomplete: str) -> list[str]:
    """The issues that were previewed in this publication, the newest first."""
    names = [path.name for path in _listed(_state() / "issues") if _ISSUE.fullmatch(path.name)]
    return [name for name in sorted(names, reverse=True) if name.startswith(incomplete)]


def essay_slugs(incomplete: str) -> list[str]:
    """The names of the essays, as their files tell them, the newest first."""
    stems = [path.stem for path in _listed(_home() / "content/essays") if path.suffix == ".md"]
    slugs = [_DAY.sub("", stem) for stem in sorted(stems, reverse=True)]
    return [slug for slug in slugs if slug.startswith(incomplete)]


def _home() -> Path:
    return Path(os.environ.get("UPCYCLE_NEWS_HOME", ""))


def _state() -> Path:
    told = os.environ.get("UPCYCLE_NEWS_STATE", "")
    if not told:
        import tomllib

        try:
            with (_home() / "newsletter.toml").open("rb") as file:
                told = str(tomllib.load(file).get("state", ""))
        except (OSError, ValueError):
            told = ""
    return _home() / Path(told or "var").expanduser()


def _listed(folder: Path) -> list[Path]:
    try:
        return list(folder.iterdir())
    except OSError:
        return []
