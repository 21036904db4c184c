"""Takes drafts of collected posts into content/: a new essay, or the site's change merged into one."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.content.essays import slug_of
from upcycle_news.errors import ContentError, UpcycleError
from upcycle_news.fileio import display_path, read_text, write_atomically
from upcycle_news.i18n.messages import localized
from upcycle_news.services.content import drafts
from upcycle_news.services.content.collection_report import TakenDraft, WaitingDraft
from upcycle_news.services.content.drafts import Draft
from upcycle_news.services.content.files import read_publication_essays
from upcycle_news.services.content.git_sync import run_git
from upcycle_news.storage import collected_posts
from upcycle_news.storage.collected_posts import CollectedPost
from upcycle_news.text.urls import canonical_link


def waiting_drafts(context: AppContext) -> tuple[WaitingDraft, ...]:
    """Return the drafts under var/collected, by name."""
    rows = {row.name: row for row in collected_posts.read_all(context.store) if row.name}
    waiting = []
    for draft in drafts.all_drafts(context):
        row = rows.get(draft.name)
        if row is not None and (draft.text() is not None or draft.update.text() is not None):
            is_update = draft.text() is None
            waiting.append(WaitingDraft(draft.name, row.title, row.source, is_update))
    return tuple(waiting)


def take_drafts(context: AppContext, names: Sequence[str]) -> tuple[TakenDraft, ...]:
    """Take these drafts; what one is refused for is in its result, the others are taken.

    Raises `UpcycleError` for a name that no draft has, before anything is taken.
    """
    known = tuple(waiting.name for waiting in waiting_drafts(context))
    if not known:
        raise UpcycleError(localized("take-none"))
    for name in names:
        if name not in known:
            raise UpcycleError(localized("take-unknown", name=name[:80], known=known))
    rows = {row.name: row for row in collected_posts.read_all(context.store) if row.name}
    return tuple(_take(context, rows[name]) for name in dict.fromkeys(names))


def _take(context: AppContext, row: CollectedPost) -> TakenDraft:
    draft = drafts.draft_of(context, row.name)
    try:
        if draft.text() is None:
            return _merge(context, row, draft)
        return TakenDraft(row.name, _copy(context, draft))
    except UpcycleError as error:
        return TakenDraft(row.name, error=error)


def _copy(context: AppContext, draft: Draft) -> Path:
    """Copy a draft into content/ and delete it; raises `UpcycleError`, and nothing is written then."""
    try:
        drafts.check(context, draft)
    except ContentError as error:
        text = localized("take-broken", name=draft.name, reason=error.localized_text)
        raise ContentError(
            display_path(draft.essay, context.settings.home), error.line, text
        ) from None
    target = context.content_folder / "essays" / f"{draft.name}.md"
    for other in sorted(target.parent.glob("*.md")):
        if slug_of(other) == slug_of(target):
            where = display_path(other, context.settings.home)
            raise UpcycleError(localized("take-slug", where=where))
    written = _write_pictures(context, draft)
    try:
        write_atomically(target, draft.essay.read_bytes(), exclusive=True)
    except UpcycleError:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    draft.remove()
    return target


def _write_pictures(context: AppContext, draft: Draft) -> list[Path]:
    """Write a draft's pictures and return those that are new; raises before the first one."""
    folder = context.content_folder / "images"
    new = []
    for picture in draft.pictures():
        there = folder / picture.name
        if not there.exists():
            new.append(picture)
        elif there.read_bytes() != picture.read_bytes():
            raise UpcycleError(localized("take-picture", picture=picture.name))
    written: list[Path] = []
    try:
        for picture in new:
            write_atomically(folder / picture.name, picture.read_bytes(), exclusive=True)
            written.append(folder / picture.name)
    except UpcycleError:
        for path in written:
            path.unlink(missing_ok=True)
        raise
    return written


def _merge(context: AppContext, row: CollectedPost, draft: Draft) -> TakenDraft:
    """Merge the site's change into the essay; where both changed the same lines, nothing is written."""
    home, update = context.settings.home, draft.update
    essay = _essay_of(context, row)
    if essay is None:
        raise UpcycleError(localized("take-essay-gone", name=row.name))
    theirs = update.text() or ""
    where = display_path(essay, home)
    merged = _merged(read_text(essay, where), row.text, theirs)
    if merged is None:
        raise UpcycleError(
            localized(
                "take-conflict", essay=where, file=display_path(draft.diff, home),
                folder=display_path(draft.folder, home),
            )
        )  # fmt: skip
    _write_pictures(context, update)
    write_atomically(essay, merged.encode())
    collected_posts.save(context.store, replace(row, text=theirs))
    draft.remove()
    return TakenDraft(row.name, essay, localized("take-merged", essay=where))


def _essay_of(context: AppContext, row: CollectedPost) -> Path | None:
    """Return the file of the essay that was made of a post: by its canonical address, else its name."""
    home, essays = context.settings.home, read_publication_essays(context).essays
    for essay in (text for one in essays for text in (one, *one.translations)):
        if essay.canonical and canonical_link(essay.canonical) == row.canonical:
            return home / essay.source
    path = context.content_folder / "essays" / f"{row.name}.md"
    return path if path.is_file() else None


def _merged(ours: str, base: str, theirs: str) -> str | None:
    """Return the three-way merge of git, None where the changes conflict or git is missing."""
    if ours == base:
        return theirs
    with tempfile.TemporaryDirectory() as folder:
        names = ("ours", "base", "theirs")
        for name, text in zip(names, (ours, base, theirs), strict=True):
            (Path(folder) / name).write_text(text, encoding="utf-8")
        try:
            done = run_git(Path(folder), "merge-file", "-p", "--quiet", *names)
        except (OSError, subprocess.TimeoutExpired):
            return None
    return done.stdout if done.returncode == 0 else None
