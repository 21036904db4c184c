"""What the file of an issue says when the issue is composed, and the findings about such files."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import islice
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.content.issue_files import (
    FOLDER,
    IssueFiles,
    ReadIssueFile,
    essay_errors,
    is_link,
)
from upcycle_news.errors import ContentError, IssueError
from upcycle_news.fileio import display_path, write_atomically
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import (
    Essay,
    FeedItem,
    Finding,
    IssueFile,
    IssueId,
    IssueState,
    Manifest,
)
from upcycle_news.prefect_api.schedules import next_times, read_schedules
from upcycle_news.services.content.files import load_issue_files
from upcycle_news.services.feeds.pins import unknown_links
from upcycle_news.services.issues.ids import current_issue
from upcycle_news.storage import issues
from upcycle_news.text.urls import canonical_link

HORIZON = 26  # scheduled times that are looked at: half a year of weekly issues


@dataclass(frozen=True)
class FileChoice:
    """What the file of an issue (None without one) chooses.

    `essays` are those that the issue holds, empty for all but `withheld`: what its file leaves out, and
    what the file of a later issue names. `overruled` are the keys of the file that hold no longer,
    `translations` its words in further languages.
    """

    file: IssueFile | None = None
    essays: Sequence[str] = ()
    withheld: frozenset[str] = frozenset()
    overruled: tuple[str, ...] = ()
    translations: Mapping[str, IssueFile] = field(default_factory=dict)

    def allows(self, essay: Essay) -> bool:
        """Return whether the issue may hold an essay."""
        return essay.slug in self.essays if self.essays else essay.slug not in self.withheld


def read_choice(
    context: AppContext,
    issue: IssueId,
    essays: Sequence[Essay],
    published: Collection[str],
    chosen: Sequence[str] = (),
) -> FileChoice:
    """Return what the file of an issue chooses; essays that a run or a command `chosen` overrule it.

    Raises `ContentError` that names everything that is wrong with the file.
    """
    files = load_issue_files(context)
    read = files.of(issue)
    if read is not None and (
        errors := essay_errors(read, issue, essays, published, context.limits.essays)
    ):
        first, *more = errors
        raise ContentError(first.where, first.line, first.text, more)
    file = read.file if read else None
    named = [place.slug for place in file.essays] if file else []
    left_out = frozenset(file.leave_out if file else ())
    if not chosen:
        withheld = left_out | reserved(files, issue).keys()
        return FileChoice(file, named, withheld, translations=files.translations_of(issue))
    overruled = []
    if named and set(named) != set(chosen):
        overruled.append("essays")
    if left_out & set(chosen):
        overruled.append("leave_out")
    return FileChoice(
        file,
        chosen,
        overruled=tuple(overruled),
        translations=files.translations_of(issue),
    )


def reserved(files: IssueFiles, issue: IssueId) -> dict[str, IssueId]:
    """Return the essays that the file of a later issue names, with that issue: they wait for it."""
    return {
        place.slug: later
        for later in sorted(files.files, reverse=True)
        if later > issue
        for place in files.files[later].file.essays
    }


def read_file(context: AppContext, issue: IssueId) -> ReadIssueFile | None:
    """Return the file of an issue; None without one, and for corrections and digests, which have none."""
    return load_issue_files(context).of(issue) if issue.is_regular else None


def read_translations(context: AppContext, issue: IssueId) -> Mapping[str, IssueFile]:
    """Return the words of an issue's file in further languages; none of a correction's or digest's."""
    return load_issue_files(context).translations_of(issue) if issue.is_regular else {}


def left_out_items(file: IssueFile | None, items: Sequence[FeedItem]) -> set[str]:
    """Return the canonical links of the items that the file of an issue leaves out."""
    links = {canonical_link(entry) for entry in (file.leave_out if file else ()) if is_link(entry)}
    return {item.canonical for item in items if item.page in links}


def file_findings(context: AppContext, manifest: Manifest) -> Iterator[Finding]:
    """Yield findings about the file of an issue that is not queued yet, and about what it is told by."""
    issue = manifest.issue
    if issue.greeting:
        for name in ("newsletter.mjml", "newsletter.txt"):
            if not _shows_greeting(manifest, name):
                text = localized("issue-file-unshown", template=f"templates/{name}")
                yield Finding("error", "issue-file-unshown", f"templates/{name}", text)
    if issue.file is not None:
        yield from link_findings(context, issue.id)
        if issue.overruled:
            text = localized("issue-file-overruled", keys=issue.overruled)
            yield Finding("warning", "issue-file-overruled", issue.file.source, text)
    yield from _forgotten_files(context, issue.id)
    yield from _reserved_findings(context, issue.id)


def _shows_greeting(manifest: Manifest, template: str) -> bool:
    suffix = template.rpartition(".")[2]
    return any(
        "issue.greeting" in text and name.endswith(f".{suffix}")
        for name, text in manifest.templates.items()
        if not name.startswith("archive/")
    )


def link_findings(context: AppContext, issue: IssueId) -> Iterator[Finding]:
    """Yield a warning for each link in the file of an issue that is no item of any feed so far."""
    read = load_issue_files(context).files.get(issue)
    if read is None:
        return
    for link, where in unknown_links(context, _links(read, "pin", read.file.pin)):
        yield Finding("warning", "pin-unknown", where, localized("pin-unknown", link=link))
    for link, where in unknown_links(context, _links(read, "leave_out", read.file.leave_out)):
        text = localized("leave-out-unknown", link=link)
        yield Finding("warning", "leave-out-unknown", where, text)


def _links(read: ReadIssueFile, key: str, entries: Sequence[str]) -> dict[str, str]:
    """Return the links in a list of a file, with their places."""
    return {
        entry: f"{read.file.source}:{read.line(key, entry)}" for entry in entries if is_link(entry)
    }


def _forgotten_files(context: AppContext, issue: IssueId) -> Iterator[Finding]:
    """Yield a warning for each file of an earlier day whose issue nobody got: it may be meant for this."""
    for other, read in load_issue_files(context).files.items():
        if other.day < issue.day and _is_unused(context, other):
            yield unused_finding(other, read)


def _reserved_findings(context: AppContext, issue: IssueId) -> Iterator[Finding]:
    """Yield a warning for each essay that would be in an issue, and waits for a later one."""
    files = load_issue_files(context)
    own = files.files.get(issue)
    if own is not None and own.file.essays:
        return
    for slug, later in reserved(files, issue).items():
        where = f"{files.files[later].file.source}:{files.files[later].line('essays', slug)}"
        text = localized("essay-reserved", slug=slug, issue=str(later))
        yield Finding("warning", "essay-reserved", where, text)


def _is_unused(context: AppContext, issue: IssueId) -> bool:
    """Return whether the day of an issue is over, and nobody has approved or sent the issue."""
    row = issues.get(context.store, issue)
    return issue.day < context.today and (row is None or row.state is IssueState.OPEN)


def unused_finding(issue: IssueId, read: ReadIssueFile) -> Finding:
    """Return the warning about a file that no issue will use."""
    text = localized("issue-file-unused", day=issue.day)
    return Finding("warning", "issue-file-unused", f"{read.file.source}:1", text)


def check_issue_files(context: AppContext, essays: Sequence[Essay]) -> Iterator[Finding]:
    """Yield findings about all files of issues: errors at their lines, and files that nobody will use.

    What was sent is not looked at any more.
    """
    found = load_issue_files(context)
    for _, error in found.errors:
        yield Finding("error", "issue-file", error.place, error.localized_text)
    for issue, read in found.files.items():
        row = issues.get(context.store, issue)
        if row is not None and row.frozen:
            continue
        published = issues.published_essays(
            context.store, [essay.slug for essay in essays], apart_from=issue
        )
        if _is_unused(context, issue):
            yield unused_finding(issue, read)
            continue
        for error in essay_errors(read, issue, essays, published, context.limits.essays):
            yield Finding("error", "issue-file", error.place, error.localized_text)
        yield from link_findings(context, issue)
        if (text := unplanned(context, issue)) is not None:
            yield Finding("warning", "issue-file-unplanned", f"{read.file.source}:1", text)


def unused_files(context: AppContext) -> Iterator[LocalizedText]:
    """Yield a sentence, with the file before it, for each file that no issue will use as things are."""
    found = load_issue_files(context)
    for about, error in found.errors:
        if about is None:
            yield localized("issue-file-note", file=error.where, text=error.localized_text)
    for issue, read in found.files.items():
        row = issues.get(context.store, issue)
        if row is not None and row.frozen:
            continue
        text = unplanned(context, issue)
        if _is_unused(context, issue):
            text = localized("issue-file-unused", day=issue.day)
        if text is not None:
            yield localized("issue-file-note", file=read.file.source, text=text)


def unplanned(context: AppContext, issue: IssueId) -> LocalizedText | None:
    """Return that the schedule does not make the issue of a file; None when it does, or cannot say."""
    schedules = read_schedules(context.settings.home)
    zone, now = context.settings.publication.zone, context.clock()
    times = [at for at, _ in islice(next_times(schedules, now - timedelta(days=1)), HORIZON)]
    days = Counter(at.astimezone(zone).date() for at in times)
    if not days or issue.day > max(days):
        return None
    rows = issues.issues_of_day(context.store, issue.day)
    sent = sum(row.frozen and row.id.is_regular for row in rows)
    to_come = sum(at > now and at.astimezone(zone).date() == issue.day for at in times)
    if issue.ordinal <= max(days[issue.day], sent + to_come):
        return None
    if days[issue.day]:
        return localized("issue-file-unplanned-further", day=issue.day, issue=str(issue))
    coming = tuple(day.isoformat() for day in sorted(days) if day >= context.today)[:3]
    return localized("issue-file-unplanned", day=issue.day, issue=str(issue), planned=coming)


def new_issue_file(context: AppContext, issue: IssueId) -> Path:
    """Write an empty file of an issue and return its path; no file is overwritten.

    Raises `ContentError` when it is there, `IssueError` for a correction, a digest or an issue that is frozen.
    """
    if issue.correction:
        raise IssueError(localized("issue-file-correction", issue=str(issue)))
    if issue.digest:
        raise IssueError(localized("issue-file-digest", issue=str(issue)))
    row = issues.get(context.store, issue)
    if row is not None and row.frozen:
        raise IssueError(localized("issue-file-sent", issue=str(issue)))
    path = context.content_folder / FOLDER / f"{issue}.md"
    if path.exists():
        where = display_path(path, context.settings.home)
        raise ContentError(where, None, localized("issue-file-there"))
    text = localized("issue-file-scaffold").in_language(context.language).lstrip()
    write_atomically(path, text.encode(), exclusive=True)
    return path


def next_issue_id(context: AppContext) -> IssueId:
    """Return the issue that the next run of the schedule makes; without a schedule, today's."""
    schedules = read_schedules(context.settings.home)
    for at, _ in islice(next_times(schedules, context.clock()), 1):
        return current_issue(context, at.astimezone(context.settings.publication.zone).date())
    return current_issue(context)
