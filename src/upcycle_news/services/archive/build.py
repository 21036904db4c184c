"""The archive of the publication: built from the store, published before anybody gets a link to it."""

from __future__ import annotations

import subprocess
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from zoneinfo import ZoneInfo

from upcycle_news.app.context import PLACEHOLDER_URL, AppContext
from upcycle_news.archive_site import builder
from upcycle_news.archive_site.atom_sitemap import tag_uri
from upcycle_news.archive_site.view_models import Correction, SentIssue, SiteConfig
from upcycle_news.errors import IssueError, UpcycleError
from upcycle_news.fileio import write_atomically
from upcycle_news.i18n.messages import format_count
from upcycle_news.models import DeliveryState, IssueId, Manifest
from upcycle_news.models.archive_paths import IMAGES, file_of, issue_path
from upcycle_news.rendering.templates import load_templates
from upcycle_news.services.archive.atomic_folder import exclusive_lock, replace_files
from upcycle_news.services.content.images import raise_if_images_unreachable
from upcycle_news.services.content.url_check import raise_if_page_unreachable
from upcycle_news.storage import corrections, issues, revisions
from upcycle_news.storage.corrections import CorrectionKind
from upcycle_news.storage.issues import IssueRow, IssueState

COMMAND_TIMEOUT = 600
"""Seconds that `archive.command` may take."""


def run_command(context: AppContext, files: Mapping[str, bytes]) -> None:
    """Run `archive.command`, once for each state of the files; raises `UpcycleError`.

    Until it has succeeded it is run at every build: an issue leaves only after it.
    """
    command = context.settings.archive.command
    if not command:
        return
    digest = sha256()
    for path, data in sorted(files.items()):
        digest.update(f"{path}\n{sha256(data).hexdigest()}\n".encode())
    mark, done = digest.hexdigest().encode(), context.settings.state / "archive.published"
    if done.is_file() and done.read_bytes() == mark:
        return
    words = [word.replace("{folder}", str(context.archive_folder)) for word in command]
    try:
        ended = subprocess.run(  # noqa: S603  the operator's own command, no shell
            words, cwd=context.settings.home, capture_output=True, text=True, timeout=COMMAND_TIMEOUT,
            check=False,
        )  # fmt: skip
    except OSError as error:
        raise UpcycleError(f"archive.command: {words[0]}: {error.strerror}") from None
    except subprocess.TimeoutExpired:
        raise UpcycleError(
            f"archive.command: {words[0]}: no end within {COMMAND_TIMEOUT} s"
        ) from None
    if ended.returncode != 0:
        said = (ended.stderr or ended.stdout).strip().splitlines()
        told = f": {said[-1][:200]}" if said else ""
        raise UpcycleError(f"archive.command: {words[0]} ended with {ended.returncode}{told}")
    write_atomically(done, mark)


_REACHED = (DeliveryState.SENT, DeliveryState.UNKNOWN, DeliveryState.SENDING)


@dataclass(frozen=True)
class ArchiveReport:
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
        done = f"{format_count(self.written, 'file')} written, {self.removed} removed"
        if not self.written and not self.removed:
            done = "nothing has changed"
        return f"{format_count(self.issues, 'issue')}, {format_count(self.essays, 'essay')}; {done}"


@dataclass(frozen=True)
class _UpcomingIssue:
    """An issue that is about to be queued at `at`."""

    issue: IssueId
    manifest: Manifest
    at: datetime


def build_archive(context: AppContext, out: Path | None = None) -> ArchiveReport:
    """Build the archive of everything that was sent, into `out` or where the web door serves it.

    Building again without changes writes nothing. Raises `UpcycleError`, having changed nothing,
    when a template does not work or the folder cannot be written.
    """
    return _build(context, out, None)


@contextmanager
def with_issue_published(
    context: AppContext, issue: IssueId, manifest: Manifest, now: datetime
) -> Iterator[None]:
    """The archive with an issue that is queued inside the block, and without it when that fails.

    So the pages are there before the first mail leaves. Raises `IssueError`: then nothing is to be
    sent; also when what is hosted does not answer.
    """
    try:
        try:
            _build(context, None, _UpcomingIssue(issue, manifest, now))
            raise_if_images_unreachable(context, manifest)
            raise_if_page_unreachable(context, issue, manifest)
        except IssueError:
            raise
        except UpcycleError as error:
            raise IssueError(f"issue {issue} is not sent, for it has no archive: {error}") from None
        yield
    except BaseException:
        with suppress(UpcycleError):  # the first reason is the one to tell
            _build(context, None, None)
        raise


def rebuild_if_missing(context: AppContext, issue: IssueId) -> None:
    """Build the archive if the page of an issue that is being sent is not here."""
    if not (context.archive_folder / file_of(issue_path(str(issue)))).is_file():
        _build(context, None, None)


def _build(context: AppContext, out: Path | None, coming: _UpcomingIssue | None) -> ArchiveReport:
    folder = out or context.archive_folder
    with exclusive_lock(context.settings.state / "archive.lock"):
        rows = issues.all_issues(context.store)
        built = builder.build_archive(_sent(context, rows, coming), _look(context, rows, coming))
        kept = _kept_pictures(context) if out is None else ()
        changes = replace_files(folder, built.files, keep=kept, ours=out is None)
        if out is None:
            run_command(context, built.files)
    return ArchiveReport(
        folder, built.issues, built.essays, len(built.files), changes.written, changes.removed
    )


def sent_issues(context: AppContext) -> list[SentIssue]:
    """What the archive shows now, withdrawn issues included."""
    return _sent(context, issues.all_issues(context.store), None)


def _sent(
    context: AppContext, rows: tuple[IssueRow, ...], coming: _UpcomingIssue | None
) -> list[SentIssue]:
    """Every issue that somebody has got or is about to get."""
    decided, zone = corrections.all_corrections(context.store), context.settings.publication.zone
    found = [
        apply_corrections(
            SentIssue(revision.manifest, row.enqueued_at, row.enqueued_at),
            (one for one in decided if one.issue == row.id),
            zone,
        )
        for row in rows
        if _shows(context, row)
        and row.enqueued_at is not None
        and (revision := revisions.load_revision(context.store, row.id, row.revision_id)) is not None
    ]
    if coming is not None and all(one.manifest.issue.id != coming.issue for one in found):
        found.append(SentIssue(coming.manifest, coming.at, coming.at))
    return found


def _shows(context: AppContext, row: IssueRow) -> bool:
    if row.state is not IssueState.CANCELLED:
        return row.state is not IssueState.OPEN
    status = issues.status(context.store, row.id)
    return status is not None and any(status.counts.get(state, 0) for state in _REACHED)


def _look(
    context: AppContext, rows: tuple[IssueRow, ...], coming: _UpcomingIssue | None
) -> SiteConfig:
    publication, told = context.publication, context.settings
    if publication.public_url == PLACEHOLDER_URL:
        publication = replace(publication, public_url="")
    form = ""
    if public := told.publication.public_url:
        away = told.archive.url not in ("", public) or told.archive.index_html
        form = f"{public}/subscribe" if away else "subscribe"
    return SiteConfig(
        publication=publication,
        templates=load_templates(context.templates_folder),
        feed_id=_feed_id(context, rows, coming),
        subscribe=form,
        index_html=told.archive.index_html,
    )


def _feed_id(context: AppContext, rows: tuple[IssueRow, ...], coming: _UpcomingIssue | None) -> str:
    """Named after the first issue that was ever queued, so that it never changes."""
    queued = [(row.enqueued_at, row) for row in rows if row.enqueued_at is not None]
    for _, row in sorted(queued, key=lambda one: one[0]):
        first = revisions.load_revision(context.store, row.id, row.revision_id)
        if first is not None:
            return _tag(first.manifest)
    return _tag(coming.manifest) if coming else ""


def _tag(manifest: Manifest) -> str:
    return tag_uri(manifest.publication, manifest.issue.id.day.isoformat(), "feed")


def _kept_pictures(context: AppContext) -> set[str]:
    """Pictures of issues still to be sent: test mails show them already."""
    kept = {revision_id[:32] for revision_id in revisions.open_images(context.store)}
    return {f"{IMAGES}{name}.{kind}" for name in kept for kind in ("png", "jpg", "gif")}


def apply_corrections(sent: SentIssue, decided: Iterable[corrections.Correction], zone: ZoneInfo) -> SentIssue:
    """An issue with what was decided about it since, in the order in which it was decided."""
    for one in decided:
        told = Correction(one.at.astimezone(zone).date(), one.note)
        sent = replace(_applied(sent, one, told), changed_at=one.at)
    return sent


def _applied(sent: SentIssue, one: corrections.Correction, told: Correction) -> SentIssue:
    if one.kind is CorrectionKind.CORRECTION and one.corrected is not None:
        issue = sent.manifest.issue
        essays = tuple(
            one.corrected if essay.slug == one.essay else essay for essay in issue.essays
        )
        manifest = replace(
            sent.manifest,
            issue=replace(issue, essays=essays),
            images={**sent.manifest.images, **one.images},
        )
        notes = (*sent.corrections.get(one.essay, ()), told)
        return replace(sent, manifest=manifest, corrections={**sent.corrections, one.essay: notes})
    if not one.essay:
        return replace(sent, gone=told if one.kind is CorrectionKind.WITHDRAWAL else None)
    withdrawn = {slug: why for slug, why in sent.withdrawn.items() if slug != one.essay}
    if one.kind is CorrectionKind.WITHDRAWAL:
        withdrawn[one.essay] = told
    return replace(sent, withdrawn=withdrawn)
