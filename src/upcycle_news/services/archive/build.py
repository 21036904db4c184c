"""Builds the archive from the store, and publishes an issue's pages before its first mail is sent."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from upcycle_news.app.context import PLACEHOLDER_URL, AppContext
from upcycle_news.archive_site import builder
from upcycle_news.archive_site.atom_sitemap import tag_uri
from upcycle_news.archive_site.view_models import EditorNote, SentIssue, SiteConfig
from upcycle_news.errors import IssueError, UpcycleError
from upcycle_news.fileio import os_reason, write_atomically
from upcycle_news.i18n.messages import LANGUAGES, LocalizedText, localized
from upcycle_news.models import DeliveryState, Essay, Issue, IssueId, IssueState, Manifest
from upcycle_news.models.archive_paths import (
    ARCHIVE,
    ESSAYS,
    FEED,
    IMAGES,
    essay_path,
    file_of,
    in_folder,
    issue_path,
    page_of,
    revision_path,
)
from upcycle_news.services.archive.atomic_folder import (
    exclusive_lock,
    hosted_images,
    replace_files,
)
from upcycle_news.services.archive.static_files import read_static_files
from upcycle_news.services.archive_listing import issue_pages, read_listing
from upcycle_news.services.content.files import load_publication_vocabulary
from upcycle_news.services.content.images import (
    load_design_images,
    raise_if_images_unreachable,
)
from upcycle_news.services.content.public_revision import raise_if_published_elsewhere
from upcycle_news.services.content.templates import publication_templates
from upcycle_news.services.content.url_check import raise_if_page_unreachable
from upcycle_news.services.journal.consistency import raise_if_contradicted
from upcycle_news.storage import corrections, issues, revisions, sending_history
from upcycle_news.storage.corrections import CorrectionKind
from upcycle_news.storage.issues import IssueRow
from upcycle_news.storage.revisions import Revision

COMMAND_TIMEOUT = 600
"""Seconds that `archive.command` may take."""


def run_command(context: AppContext, files: Mapping[str, bytes]) -> None:
    """Run `archive.command` unless it has succeeded for just these files; raises `UpcycleError`.

    An issue is sent only after it has succeeded, so every build runs it again until then.
    """
    command = context.settings.archive.command
    if not command:
        return
    digest = sha256()
    for path, data in sorted(files.items()):
        digest.update(f"{path}\n{sha256(data).hexdigest()}\n".encode())
    published, marker = digest.hexdigest().encode(), context.settings.state / "archive.published"
    if marker.is_file() and marker.read_bytes() == published:
        return
    arguments = [word.replace("{folder}", str(context.archive_folder)) for word in command]
    try:
        process = subprocess.run(  # noqa: S603  the operator's own command, no shell
            arguments, cwd=context.settings.home, capture_output=True, text=True, timeout=COMMAND_TIMEOUT,
            check=False,
        )  # fmt: skip
    except OSError as error:
        raise UpcycleError(
            localized("archive-command-unusable", command=arguments[0], why=os_reason(error))
        ) from None
    except subprocess.TimeoutExpired:
        raise UpcycleError(
            localized("archive-command-slow", command=arguments[0], seconds=COMMAND_TIMEOUT)
        ) from None
    if process.returncode != 0:
        lines = (process.stderr or process.stdout).strip().splitlines()
        reason = f": {lines[-1][:200]}" if lines else ""
        raise UpcycleError(
            localized(
                "archive-command-failed",
                command=arguments[0],
                code=process.returncode,
                reason=reason,
            )
        )
    write_atomically(marker, published)


_POSSIBLY_RECEIVED = (DeliveryState.SENT, DeliveryState.UNKNOWN, DeliveryState.SENDING)


@dataclass(frozen=True)
class ArchiveReport:
    """Counts of a build; nothing is `written` or `removed` when nothing has changed."""

    folder: Path
    issues: int
    essays: int
    files: int
    written: int
    removed: int

    @property
    def summary(self) -> LocalizedText:
        """The counts in one line."""
        changes = localized("archive-unchanged")
        if self.written or self.removed:
            files = localized("count-files", count=self.written)
            changes = localized("archive-written", files=files, removed=self.removed)
        return localized(
            "archive-summary",
            issues=localized("count-issues", count=self.issues),
            essays=localized("count-essays", count=self.essays),
            changes=changes,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the object that `archive build --json` prints."""
        return {**asdict(self), "folder": str(self.folder)}


@dataclass(frozen=True)
class _UpcomingIssue:
    """An issue that is about to be queued at `at`."""

    issue: IssueId
    revision_id: str
    manifest: Manifest
    at: datetime


def build_archive(context: AppContext, out: Path | None = None) -> ArchiveReport:
    """Build the archive of everything that was sent, into `out` or the folder that is served.

    Building again without changes writes nothing. Raises `UpcycleError`, having changed nothing,
    when a template does not work or the folder cannot be written.
    """
    return _build(context, out, None)


@contextmanager
def with_issue_published(context: AppContext, revision: Revision, now: datetime) -> Iterator[None]:
    """Publish an issue in the archive while the block queues it; remove it again when that fails.

    So its pages exist before the first mail is sent. Raises `IssueError`, also for hosted images or
    pages that cannot be loaded, and when the public archive shows the issue although this store never
    published it: then the issue must not be sent. A correction has no page of its own: that of the issue
    that it corrects shows it, and is built once more. A digest leads to the start page.
    """
    issue, manifest = revision.issue, revision.manifest
    if not issue.is_regular:
        _build(context, None, None)
        raise_if_images_unreachable(context, manifest)
        raise_if_page_unreachable(context, issue, manifest)
        yield
        return
    raise_if_published_elsewhere(context, issue, manifest.publication)
    sending_history.record_published(context.store, str(issue), revision.revision_id, now=now)
    try:
        try:
            _build(context, None, _UpcomingIssue(issue, revision.revision_id, manifest, now))
            raise_if_images_unreachable(context, manifest)
            raise_if_page_unreachable(context, issue, manifest)
        except IssueError:
            raise
        except UpcycleError as error:
            raise IssueError(localized("issue-without-archive", issue=issue, error=error)) from None
        yield
    except BaseException:
        with suppress(UpcycleError):  # the first error is the one to report
            _build(context, None, None)
        raise


def rebuild_if_missing(context: AppContext, issue: IssueId) -> None:
    """Build the archive if it lacks the page of an issue that is being sent, or corrected."""
    if not (context.archive_folder / file_of(page_of(issue))).is_file():
        _build(context, None, None)


def build_for(context: AppContext, path: str) -> bool:
    """Build the archive if it lacks what a path names and the store has it; return whether it did.

    Another machine may have sent it. A build takes long: asking for what never was must not cause one.
    """
    first, _, rest = path.partition("/")
    language, below = (first, rest) if first in LANGUAGES else ("", path)
    folder, _, name = below.partition("/")
    name = name.partition("/")[0]
    if name:
        page = f"{folder}/{name}/"
        known = _is_issue(context, name) if page.startswith(ARCHIVE) else _is_essay(context, name)
        file = file_of(in_folder(page, language))
        if not known or (context.archive_folder / file).is_file():
            return False
    _build(context, None, None)
    return True


def _is_issue(context: AppContext, name: str) -> bool:
    try:
        row = issues.get(context.store, IssueId.parse(name))
    except UpcycleError:
        return False
    elsewhere = sending_history.sent_before_restore(context.store)
    return row is not None and (_is_shown(context, row) or name in elsewhere)


def _is_essay(context: AppContext, slug: str) -> bool:
    return slug in issues.published_essays(context.store, [slug])


def _build(context: AppContext, out: Path | None, upcoming: _UpcomingIssue | None) -> ArchiveReport:
    folder = out or context.archive_folder
    raise_if_contradicted(context, context.store, folder=out)
    with exclusive_lock(context.settings.state / "archive.lock"):
        rows, load = issues.all_issues(context.store), _revision_loader(context)
        built = builder.build_archive(
            _sent(context, rows, load, upcoming), _site_config(context, rows, load, upcoming)
        )
        keep = _unsent_images(context) if out is None else set()
        keep |= _unaccounted_files(context, folder, rows, load)
        changes = replace_files(folder, built.files, keep=keep, ours=out is None)
        if out is None:
            run_command(context, built.files)
    return ArchiveReport(
        folder, built.issues, built.essays, len(built.files), changes.written, changes.removed
    )


def sent_issues(context: AppContext, rows: Sequence[IssueRow] | None = None) -> list[SentIssue]:
    """Return the issues that the archive shows now, withdrawn ones included; of these `rows` only."""
    rows = issues.all_issues(context.store) if rows is None else rows
    return _sent(context, rows, _revision_loader(context), None)


_LoadRevision = Callable[[IssueRow], Revision | None]


def _revision_loader(context: AppContext) -> _LoadRevision:
    """Return a function that loads the frozen revision of an issue, each once."""

    @cache
    def load(row: IssueRow) -> Revision | None:
        return revisions.load_revision(context.store, row.id, row.revision_id)

    return load


def _sent(
    context: AppContext,
    rows: Sequence[IssueRow],
    load: _LoadRevision,
    upcoming: _UpcomingIssue | None,
) -> list[SentIssue]:
    """Return every issue that was queued and possibly received, and the upcoming one.

    Also one that went out without this store, if it has the revision that did.
    """
    decisions, zone = corrections.all_corrections(context.store), context.settings.publication.zone
    elsewhere = sending_history.sent_before_restore(context.store)
    sent = [
        apply_corrections(
            SentIssue(revision.manifest, at, at, row.revision_id),
            (decision for decision in decisions if decision.issue == row.id),
            zone,
        )
        for row in rows
        if row.id.is_regular
        and (at := row.enqueued_at if _is_shown(context, row) else elsewhere.get(str(row.id)))
        is not None
        and (revision := load(row)) is not None
    ]
    if upcoming is not None and all(issue.manifest.issue.id != upcoming.issue for issue in sent):
        sent.append(SentIssue(upcoming.manifest, upcoming.at, upcoming.at, upcoming.revision_id))
    return sent


def _is_shown(context: AppContext, row: IssueRow) -> bool:
    """Return whether an issue was queued, and not cancelled before anyone could receive it."""
    if row.state is not IssueState.CANCELLED:
        return row.frozen
    status = issues.status(context.store, row.id)
    return status is not None and any(status.counts.get(state, 0) for state in _POSSIBLY_RECEIVED)


def _site_config(
    context: AppContext,
    rows: tuple[IssueRow, ...],
    load: _LoadRevision,
    upcoming: _UpcomingIssue | None,
) -> SiteConfig:
    publication, settings = context.publication, context.settings
    if publication.public_url == PLACEHOLDER_URL:
        publication = replace(publication, public_url="")
    form = ""
    if public_url := settings.publication.public_url:
        elsewhere = settings.archive.url not in ("", public_url) or settings.archive.index_html
        form = f"{public_url}/subscribe" if elsewhere else "subscribe"
    templates = publication_templates(context)
    return SiteConfig(
        publication=publication,
        templates=templates,
        pictures=load_design_images(context, templates, ()),
        feed_id=_feed_id(rows, load, upcoming),
        subscribe=form,
        index_html=settings.archive.index_html,
        static=read_static_files(context),
        german_words=_german_words(context),
    )


def _german_words(context: AppContext) -> str:
    """Return the words of the editors' vocabulary; none of a broken one, which other checks report."""
    try:
        vocabulary = load_publication_vocabulary(context)
    except UpcycleError:
        return ""
    return " ".join(
        word for concept in vocabulary.concepts for word in (*concept.words, *concept.hints)
    )


def _feed_id(
    rows: tuple[IssueRow, ...], load: _LoadRevision, upcoming: _UpcomingIssue | None
) -> str:
    """Return the feed's id, derived from the first issue ever queued, so that it never changes."""
    queued = [(row.enqueued_at, row) for row in rows if row.enqueued_at is not None]
    for _, row in sorted(queued, key=lambda pair: pair[0]):
        if (first := load(row)) is not None:
            return _feed_tag(first.manifest)
    return _feed_tag(upcoming.manifest) if upcoming else ""


def _feed_tag(manifest: Manifest) -> str:
    return tag_uri(manifest.publication, manifest.issue.id.day.isoformat(), "feed")


def _unsent_images(context: AppContext) -> set[str]:
    """Return the images of issues still to be sent: test mails show them already."""
    names = {image_hash[:32] for image_hash in revisions.open_images(context.store)}
    return {f"{IMAGES}{name}.{kind}" for name in names for kind in ("png", "jpg", "gif")}


def _unaccounted_files(
    context: AppContext, folder: Path, rows: tuple[IssueRow, ...], load: _LoadRevision
) -> set[str]:
    """Return the files of issues that went out and that the store has nothing of: they stay.

    There are some after a restore, or where a person confirmed a store that had been set back. Their
    addresses are in mails for good. Which essays and pictures are theirs nobody can say, so all that the
    store cannot name are kept with them; so is their feed until there is another one.
    """
    pages = issue_pages(folder, listed_only=folder != context.archive_folder)
    foreign = pages - {str(row.id) for row in rows}
    foreign |= pages & set(sending_history.sent_before_restore(context.store))
    if not foreign:
        return set()
    known = [revision for row in rows if row.frozen and (revision := load(row)) is not None]
    essays = {
        file_of(essay_path(essay.slug, essay.folder))
        for one in known
        for issue in one.manifest.issue.in_languages
        for essay in issue.essays
    }
    folders = ("", *LANGUAGES)  # which languages it had nobody can say, either
    kept = {file_of(issue_path(issue, folder)) for issue in foreign for folder in folders}
    kept |= {revision_path(issue) for issue in foreign}
    return kept | {
        *(in_folder(FEED, language) for language in folders),
        *(
            path
            for path in read_listing(folder) | hosted_images(folder)
            if path.startswith(IMAGES)
            or (
                path.startswith(tuple(in_folder(ESSAYS, language) for language in folders))
                and path not in essays
            )
        ),
    }


def apply_corrections(
    sent: SentIssue, decisions: Iterable[corrections.Correction], zone: ZoneInfo
) -> SentIssue:
    """Return an issue with its corrections and withdrawals applied, in their order."""
    for decision in decisions:
        note = EditorNote(decision.at.astimezone(zone).date(), decision.note, decision.notes)
        sent = replace(_applied(sent, decision, note), changed_at=decision.at)
    return sent


def corrected(issue: Issue, essay: Essay) -> Issue:
    """Return the issue with the essay's text as it is now, in the language in which the issue has it."""

    def text_of(shown: Essay) -> Essay:
        now = essay.in_language(shown.language) if shown.slug == essay.slug else None
        return replace(now, translations=(), folder=shown.folder) if now is not None else shown

    return replace(issue, essays=tuple(map(text_of, issue.essays)))


def _applied(sent: SentIssue, decision: corrections.Correction, note: EditorNote) -> SentIssue:
    if decision.kind is CorrectionKind.CORRECTION and decision.corrected is not None:
        issue, essay = sent.manifest.issue, decision.corrected
        manifest = replace(
            sent.manifest,
            issue=replace(
                corrected(issue, essay),
                translations=tuple(corrected(one, essay) for one in issue.translations),
            ),
            images={**sent.manifest.images, **decision.images},
        )
        notes = (*sent.corrections.get(decision.essay, ()), note)
        return replace(
            sent, manifest=manifest, corrections={**sent.corrections, decision.essay: notes}
        )
    if not decision.essay:
        return replace(
            sent, withdrawal=note if decision.kind is CorrectionKind.WITHDRAWAL else None
        )
    withdrawn = {
        slug: earlier for slug, earlier in sent.withdrawn.items() if slug != decision.essay
    }
    if decision.kind is CorrectionKind.WITHDRAWAL:
        withdrawn[decision.essay] = note
    return replace(sent, withdrawn=withdrawn)
