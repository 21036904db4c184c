"""Builds the archive from the store, and publishes an issue's pages before its first mail is sent."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from upcycle_news.app.context import PLACEHOLDER_URL, AppContext
from upcycle_news.archive_site import builder
from upcycle_news.archive_site.reuse import IssueSource, KeptSearch, KeptSite, digest_of
from upcycle_news.archive_site.view_models import SentIssue, SiteConfig
from upcycle_news.errors import IssueError, UpcycleError
from upcycle_news.fileio import os_reason, write_atomically
from upcycle_news.i18n.messages import LANGUAGES, LocalizedText, localized
from upcycle_news.models import IssueId
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
from upcycle_news.services.archive.kept_parts import KeptParts
from upcycle_news.services.archive.sent_issues import SentIssues, UpcomingIssue, is_shown
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
from upcycle_news.storage import issues, revisions, sending_history
from upcycle_news.storage.revisions import Revision

COMMAND_TIMEOUT = 600
"""Seconds that `archive.command` may take."""


def run_command(context: AppContext, site: builder.BuiltSite) -> None:
    """Run `archive.command` unless it has succeeded for just this site; raises `UpcycleError`.

    An issue is sent only after it has succeeded, so every build runs it again until then.
    """
    command = context.settings.archive.command
    if not command:
        return
    digest = sha256()
    made = {path: digest_of(data) for path, data in site.files.items()}
    for path, file_digest in sorted({**site.unchanged, **made}.items()):
        digest.update(f"{path}\n{file_digest}\n".encode())
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


@dataclass(frozen=True)
class ArchiveReport:
    """Counts of a build; nothing is `written` or `removed` when nothing has changed.

    `rendered` are the pages that were made, `reused` those that an earlier build had made of the same.
    """

    folder: Path
    issues: int
    essays: int
    files: int
    written: int
    removed: int
    rendered: int
    reused: int

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
            pages=localized(
                "archive-pages",
                rendered=localized("count-pages", count=self.rendered),
                reused=self.reused,
            ),
            changes=changes,
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the object that `archive build --json` prints."""
        return {**asdict(self), "folder": str(self.folder)}


def build_archive(
    context: AppContext, out: Path | None = None, *, anew: bool = False
) -> ArchiveReport:
    """Build the archive of everything that was sent, into `out` or the folder that is served.

    What has not changed since an earlier build is not rendered again, except `anew`. Building again without
    changes writes nothing. Raises `UpcycleError`, having changed nothing, when a template does not work or
    the folder cannot be written.
    """
    return _build(context, out, None, anew=anew)


@contextmanager
def with_issue_published(context: AppContext, revision: Revision, now: datetime) -> Iterator[None]:
    """Publish an issue in the archive while the block queues it; remove it again when that fails.

    So its pages exist before the first mail is sent. Raises `IssueError`, also for hosted images or
    pages that cannot be loaded, and when the public archive shows the issue although this store never
    published it: then the issue must not be sent. A correction has no page of its own: that of the issue
    that it corrects shows it, and is built once more. A digest has a page that no list shows.
    """
    issue, manifest = revision.issue, revision.manifest
    if issue.correction:
        _build(context, None, None)
        raise_if_images_unreachable(context, manifest)
        raise_if_page_unreachable(context, issue, manifest)
        yield
        return
    if issue.is_regular:
        raise_if_published_elsewhere(context, issue, manifest.publication)
        sending_history.record_published(context.store, str(issue), revision.revision_id, now=now)
    try:
        try:
            _build(context, None, UpcomingIssue(issue, revision.revision_id, manifest, now))
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
    return row is not None and (is_shown(context, row) or name in elsewhere)


def _is_essay(context: AppContext, slug: str) -> bool:
    return slug in issues.published_essays(context.store, [slug])


def _build(
    context: AppContext, out: Path | None, upcoming: UpcomingIssue | None, *, anew: bool = False
) -> ArchiveReport:
    folder = out or context.archive_folder
    raise_if_contradicted(context, context.store, folder=out)
    with exclusive_lock(context.settings.state / "archive.lock"):
        shown, parts = SentIssues(context, upcoming), KeptParts(context.settings.state, anew=anew)
        earlier = parts.site()
        feed_id = shown.feed_id(earlier)
        built = builder.build_changed(
            (*shown.sources, *shown.digests),
            _site_config(context, feed_id),
            earlier,
            _Ports(shown, parts, folder),
        )
        keep = _unsent_images(context) if out is None else set()
        keep |= _unaccounted_files(context, folder, shown, built.kept)
        changes = replace_files(
            folder, built.files, unchanged=built.unchanged, keep=keep, ours=out is None
        )
        parts.write(replace(built, kept=replace(built.kept, origin=shown.origin)))
        if out is None:
            run_command(context, built)
    return ArchiveReport(
        folder,
        built.issues,
        built.essays,
        len(built.files) + len(built.unchanged),
        changes.written,
        changes.removed,
        built.rendered,
        built.reused,
    )


@dataclass(frozen=True)
class _Ports:
    """What the builder asks of the store, of an earlier build, and of the folder."""

    shown: SentIssues
    parts: KeptParts
    folder: Path

    def load(self, source: IssueSource) -> SentIssue:
        return self.shown.load(source)

    def documents(self, content: str) -> builder.Documents | None:
        return self.parts.documents(content)

    def search(self, folder: str) -> KeptSearch | None:
        return self.parts.search(folder)

    def has_file(self, path: str, sha256: str) -> bool:
        try:
            return digest_of((self.folder / path).read_bytes()) == sha256
        except OSError:
            return False


def _site_config(context: AppContext, feed_id: str) -> SiteConfig:
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
        feed_id=feed_id,
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


def _unsent_images(context: AppContext) -> set[str]:
    """Return the images of issues still to be sent: test mails show them already."""
    names = {image_hash[:32] for image_hash in revisions.open_images(context.store)}
    return {f"{IMAGES}{name}.{kind}" for name in names for kind in ("png", "jpg", "gif")}


def _unaccounted_files(
    context: AppContext, folder: Path, shown: SentIssues, site: KeptSite
) -> set[str]:
    """Return the files of issues that went out and that the store has nothing of: they stay.

    There are some after a restore, or where a person confirmed a store that had been set back. Their
    addresses are in mails for good. Which essays and pictures are theirs nobody can say, so all that the
    store cannot name are kept with them; so is their feed until there is another one.
    """
    ours = folder == context.archive_folder
    pages = issue_pages(folder, listed_only=not ours, digests=True)
    foreign = pages - {str(row.id) for row in shown.rows}
    foreign |= pages & set(sending_history.sent_before_restore(context.store))
    if not foreign:
        return set()
    essays = {
        path for one in site.issues.values() for files in one.files.values() for path in files
    }
    essays |= {
        file_of(essay_path(essay.slug, essay.folder))
        for manifest in shown.unshown_manifests()
        for issue in manifest.issue.in_languages
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
