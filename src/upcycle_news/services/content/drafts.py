"""Drafts under var/collected, a folder each with the layout of content/: essays/NAME.md and images/.

A draft is written beside its place and moved there as a whole, so that a killed collection leaves
nothing half-written. What the site changed since is a draft of its own in `update/`, with update.diff.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.content.essays import read_essays
from upcycle_news.errors import ContentError
from upcycle_news.fileio import write_atomically

_STAGING = ".new-"


@dataclass(frozen=True)
class Draft:
    """A draft and the folder it lies in."""

    name: str
    folder: Path

    @property
    def essay(self) -> Path:
        """The essay's file."""
        return self.folder / "essays" / f"{self.name}.md"

    @property
    def update(self) -> Draft:
        """What the site changed since, where somebody changed the draft as well."""
        return Draft(self.name, self.folder / "update")

    @property
    def diff(self) -> Path:
        """The difference that the site's change makes."""
        return self.folder / "update.diff"

    def text(self) -> str | None:
        """Return the essay's file as it is now, None without one."""
        try:
            return self.essay.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return None

    def pictures(self) -> tuple[Path, ...]:
        """Return the files of its pictures."""
        return tuple(sorted(path for path in self.folder.glob("images/*") if path.is_file()))

    def files(self) -> Iterator[tuple[str, Path]]:
        """Yield each file with its path below content/."""
        yield f"essays/{self.name}.md", self.essay
        for picture in self.pictures():
            yield f"images/{picture.name}", picture

    def identity(self) -> tuple[str, str]:
        """Return source and key of the post it was made of, empty where it does not say."""
        try:
            fields = json.loads((self.folder / "post.json").read_text(encoding="utf-8"))
            return str(fields["source"]), str(fields["key"])
        except (OSError, ValueError, LookupError, TypeError):
            return "", ""

    def remove(self) -> None:
        """Delete it with all that belongs to it."""
        shutil.rmtree(self.folder, ignore_errors=True)


def drafts_folder(context: AppContext) -> Path:
    """Return the folder of all drafts."""
    return context.settings.state / "collected"


def draft_of(context: AppContext, name: str) -> Draft:
    """Return the draft of this name, whether it is there or not."""
    return Draft(name, drafts_folder(context) / name)


def all_drafts(context: AppContext) -> tuple[Draft, ...]:
    """Return the drafts that wait, by name."""
    folder = drafts_folder(context)
    names = sorted(path.name for path in folder.glob("*") if path.is_dir())
    return tuple(Draft(name, folder / name) for name in names if not name.startswith("."))


def drop_unfinished(context: AppContext) -> None:
    """Delete what a killed collection left before it had moved it to its place."""
    for path in drafts_folder(context).glob(f"{_STAGING}*"):
        shutil.rmtree(path, ignore_errors=True)


def stage(
    context: AppContext, name: str, text: str, pictures: Mapping[str, bytes],
    identity: tuple[str, str],
) -> Draft:  # fmt: skip
    """Write a draft beside its place. Raises `ContentError` for an essay that cannot be read."""
    parent = drafts_folder(context)
    parent.mkdir(parents=True, exist_ok=True)
    draft = Draft(name, Path(tempfile.mkdtemp(prefix=_STAGING, dir=parent)))
    try:
        for picture, data in pictures.items():
            write_atomically(draft.folder / "images" / picture, data)
        write_atomically(draft.essay, text.encode())
        source, key = identity
        write_atomically(
            draft.folder / "post.json", json.dumps({"source": source, "key": key}).encode()
        )
        check(context, draft)
    except BaseException:
        draft.remove()
        raise
    return draft


def check(context: AppContext, draft: Draft) -> None:
    """Raise `ContentError` when the draft is no essay that could be read."""
    language = context.settings.publication.language
    collection = read_essays(draft.folder, draft.folder, language)
    for error in collection.errors:
        raise ContentError(f"essays/{draft.name}.md", error.line, error.text)


def place(context: AppContext, staged: Draft, *, as_update: bool = False) -> Draft:
    """Move a staged draft to its place, where nothing is, or renew what lies there."""
    draft = draft_of(context, staged.name)
    target = draft.update if as_update else draft
    if as_update and target.folder.exists():
        target.remove()
    if not target.folder.exists():
        target.folder.parent.mkdir(parents=True, exist_ok=True)
        staged.folder.rename(target.folder)
        return target
    # The essay is replaced when its pictures are there, and loses the old ones afterwards.
    for picture in staged.pictures():
        write_atomically(target.folder / "images" / picture.name, picture.read_bytes())
    write_atomically(target.essay, staged.essay.read_bytes())
    kept = {picture.name for picture in staged.pictures()}
    for picture in target.pictures():
        if picture.name not in kept:
            picture.unlink(missing_ok=True)
    staged.remove()
    return target
