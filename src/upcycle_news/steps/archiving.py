"""The archive of the publication: built from the store, published before anybody gets a link to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path

from upcycle_news.errors import IssueError, UpcycleError
from upcycle_news.model import DeliveryState, IssueId, Manifest
from upcycle_news.newsroom import NOWHERE, Newsroom
from upcycle_news.press import archive
from upcycle_news.press.archive_feed import tag_uri
from upcycle_news.press.archive_views import Look, SentIssue
from upcycle_news.press.places import IMAGES, file_of, issue_path
from upcycle_news.press.templates import load_templates
from upcycle_news.sayings import counted
from upcycle_news.steps.amended import amended
from upcycle_news.steps.answering import refuse_silent_page
from upcycle_news.steps.archive_command import run_command
from upcycle_news.steps.archive_folder import alone, replace_files
from upcycle_news.steps.pictures import refuse_silent_pictures
from upcycle_news.store import amendments, issues, revisions
from upcycle_news.store.issues import IssueRow, IssueState

_REACHED = (DeliveryState.SENT, DeliveryState.UNKNOWN, DeliveryState.SENDING)


@dataclass(frozen=True)
class Report:
    """What a build made; nothing was `written` or `removed` when nothing had changed."""

    folder: Path
    issues: int
    essays: int
    files: int
    written: int
    removed: int

    @property
    def told(self) -> str:
        """One line for people."""
        done = f"{counted(self.written, 'file')} written, {self.removed} removed"
        if not self.written and not self.removed:
            done = "nothing has changed"
        return f"{counted(self.issues, 'issue')}, {counted(self.essays, 'essay')}; {done}"


@dataclass(frozen=True)
class _Coming:
    """An issue that is about to be queued at `at`."""

    issue: IssueId
    manifest: Manifest
    at: datetime


def build_archive(room: Newsroom, out: Path | None = None) -> Report:
    """Build the archive of everything that was sent, into `out` or where the web door serves it.

    Building again without changes writes nothing. Raises `UpcycleError`, having changed nothing,
    when a template does not work or the folder cannot be written.
    """
    return _build(room, out, None)


@contextmanager
def published(room: Newsroom, issue: IssueId, manifest: Manifest, now: datetime) -> Iterator[None]:
    """The archive with an issue that is queued inside the block, and without it when that fails.

    So the pages are there before the first mail leaves. Raises `IssueError`: then nothing is to be
    sent; also when what is hosted does not answer.
    """
    try:
        try:
            _build(room, None, _Coming(issue, manifest, now))
            refuse_silent_pictures(room, manifest)
            refuse_silent_page(room, issue, manifest)
        except IssueError:
            raise
        except UpcycleError as error:
            raise IssueError(f"issue {issue} is not sent, for it has no archive: {error}") from None
        yield
    except BaseException:
        with suppress(UpcycleError):  # the first reason is the one to tell
            _build(room, None, None)
        raise


def ensure(room: Newsroom, issue: IssueId) -> None:
    """Build the archive if the page of an issue that is being sent is not here."""
    if not (room.archive / file_of(issue_path(str(issue)))).is_file():
        _build(room, None, None)


def _build(room: Newsroom, out: Path | None, coming: _Coming | None) -> Report:
    folder = out or room.archive
    with alone(room.settings.state / "archive.lock"):
        rows = issues.every(room.store)
        built = archive.build_archive(_sent(room, rows, coming), _look(room, rows, coming))
        kept = _kept_pictures(room) if out is None else ()
        changes = replace_files(folder, built.files, keep=kept, ours=out is None)
        if out is None:
            run_command(room, built.files)
    return Report(
        folder, built.issues, built.essays, len(built.files), changes.written, changes.removed
    )


def shown(room: Newsroom) -> list[SentIssue]:
    """What the archive shows now, withdrawn issues included."""
    return _sent(room, issues.every(room.store), None)


def _sent(room: Newsroom, rows: tuple[IssueRow, ...], coming: _Coming | None) -> list[SentIssue]:
    """Every issue that somebody has got or is about to get."""
    decided, zone = amendments.every(room.store), room.settings.publication.zone
    found = [
        amended(
            SentIssue(revision.manifest, row.enqueued_at, row.enqueued_at),
            (one for one in decided if one.issue == row.id),
            zone,
        )
        for row in rows
        if _shows(room, row)
        and row.enqueued_at is not None
        and (revision := revisions.revision(room.store, row.id, row.hash)) is not None
    ]
    if coming is not None and all(one.manifest.issue.id != coming.issue for one in found):
        found.append(SentIssue(coming.manifest, coming.at, coming.at))
    return found


def _shows(room: Newsroom, row: IssueRow) -> bool:
    if row.state is not IssueState.CANCELLED:
        return row.state is not IssueState.OPEN
    status = issues.status(room.store, row.id)
    return status is not None and any(status.counts.get(state, 0) for state in _REACHED)


def _look(room: Newsroom, rows: tuple[IssueRow, ...], coming: _Coming | None) -> Look:
    publication, told = room.publication, room.settings
    if publication.public_url == NOWHERE:
        publication = replace(publication, public_url="")
    form = ""
    if public := told.publication.public_url:
        away = told.archive.url not in ("", public) or told.archive.index_html
        form = f"{public}/subscribe" if away else "subscribe"
    return Look(
        publication=publication,
        templates=load_templates(room.templates),
        feed_id=_feed_id(room, rows, coming),
        subscribe=form,
        index_html=told.archive.index_html,
    )


def _feed_id(room: Newsroom, rows: tuple[IssueRow, ...], coming: _Coming | None) -> str:
    """Named after the first issue that was ever queued, so that it never changes."""
    queued = [(row.enqueued_at, row) for row in rows if row.enqueued_at is not None]
    for _, row in sorted(queued, key=lambda one: one[0]):
        first = revisions.revision(room.store, row.id, row.hash)
        if first is not None:
            return _tag(first.manifest)
    return _tag(coming.manifest) if coming else ""


def _tag(manifest: Manifest) -> str:
    return tag_uri(manifest.publication, manifest.issue.id.day.isoformat(), "feed")


def _kept_pictures(room: Newsroom) -> set[str]:
    """Pictures of issues still to be sent: test mails show them already."""
    kept = {digest[:32] for digest in revisions.open_images(room.store)}
    return {f"{IMAGES}{name}.{kind}" for name in kept for kind in ("png", "jpg", "gif")}
