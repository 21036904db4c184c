"""What a branch changes, rendered: each essay that it adds or changes as an issue of its own.

An issue whose file in content/issues it adds or changes is rendered as that file says.

Nothing of the publication's state is used or left: the store is an empty one in a temporary folder, so
there are no feed items, no subscribers and no secrets, and whatever `ready` essays there are count as new.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

from upcycle_news.app.context import AppContext
from upcycle_news.config.settings import load_settings
from upcycle_news.content.essays import read_essays
from upcycle_news.curation.manifest_diff import TextChange
from upcycle_news.errors import PlacedError, UpcycleError
from upcycle_news.i18n.messages import LANGUAGES, LocalizedText, localized
from upcycle_news.models import Essay, Finding, IssueId, Manifest, RenderedIssue
from upcycle_news.models.content import base_of
from upcycle_news.rendering.preview_page import PreviewPart
from upcycle_news.rendering.render import render
from upcycle_news.services.checks.run import check_everything
from upcycle_news.services.content.images import referenced_paths
from upcycle_news.services.issues.compose import compose_essay, compose_manifest
from upcycle_news.services.issues.render import check_manifest
from upcycle_news.services.pull_request.changed_files import (
    ChangedFiles,
    changed_files,
    copy_base,
    foreign_links,
)

ISSUES = "content/issues/"
MAX_ESSAYS = 8
"""So many essays are shown; of the others only the names are told."""


@dataclass(frozen=True)
class PullRequestReview:
    """What a branch changes: findings, and a part of the page for each essay or issue, by its name.

    Findings about files that the branch changes come first, errors before warnings. `remarks` are
    sentences on what is shown and what is not. `prefix` as in `ChangedFiles`.
    """

    language: str
    prefix: str
    findings: tuple[Finding, ...]
    parts: Mapping[str, PreviewPart] = field(default_factory=dict)
    remarks: tuple[LocalizedText, ...] = ()

    @property
    def errors(self) -> tuple[Finding, ...]:
        """The findings that keep an issue from being sent."""
        return tuple(finding for finding in self.findings if finding.level == "error")


def review_pull_request(context: AppContext, base: str) -> PullRequestReview:
    """Check the publication, and render what the working tree changes since it parted from `base`.

    Raises `UpcycleError` with the cure as `changed_files` does; what is wrong in the files is a finding.
    """
    home, language = context.settings.home, context.language
    changes = changed_files(home, base)
    if links := tuple(foreign_links(home)):
        return PullRequestReview(language, changes.prefix, links)
    with _scratch(context, home) as now, _base_context(context, changes) as before:
        day = IssueId(context.today)
        findings = _in_order(_as_sent(context, check_everything(now, day)), changes)
        essays = read_essays(now.content_folder, home, language).essays
        chosen, remarks = _chosen(essays, changes)
        parts: dict[str, PreviewPart] = {}
        failures = []
        for name, show in (
            *(
                (_name(essay, version), partial(_essay, now, before, day, essay, version))
                for essay in chosen[:MAX_ESSAYS]
                for version in _versions(essay, changes)
            ),
            *(
                (name, partial(_issue, now, issue, language))
                for name, (issue, language) in _issues(changes).items()
            ),
        ):
            try:
                part = show(findings)
                parts[name] = replace(part, findings=_as_sent(context, part.findings))
            except UpcycleError as error:
                where = error.place if isinstance(error, PlacedError) else name
                failures.append(Finding("error", "issue", where, error.localized_text))
        known = {finding.text for finding in findings}
        findings += [failure for failure in failures if failure.text not in known]
    remarks += _unshown(chosen[MAX_ESSAYS:], changes, before is None)
    return PullRequestReview(language, changes.prefix, tuple(findings), parts, tuple(remarks))


@contextmanager
def _scratch(context: AppContext, home: Path) -> Iterator[AppContext]:
    """Yield a context of the files in `home` with an empty state; pictures are embedded for the page."""
    with tempfile.TemporaryDirectory(prefix="upcycle-news-") as folder:
        settings = context.settings if home == context.settings.home else load_settings(home)
        embedded = settings.issue.model_copy(update={"images": "embedded"})
        state = {"state": Path(folder), "store": "", "home": home, "issue": embedded}
        with replace(context, settings=settings.model_copy(update=state)) as scratch:
            yield scratch


@contextmanager
def _base_context(context: AppContext, changes: ChangedFiles) -> Iterator[AppContext | None]:
    """Yield a context of the base's files; None where its settings cannot be read."""
    with tempfile.TemporaryDirectory(prefix="upcycle-news-") as folder, ExitStack() as stack:
        home = Path(os.path.realpath(folder))
        copy_base(context.settings.home, changes.base, home)
        try:
            before = stack.enter_context(_scratch(context, home))
        except UpcycleError:
            before = None
        yield before


def _as_sent(context: AppContext, findings: Sequence[Finding]) -> list[Finding]:
    """Return findings without those that are due to embedding pictures where a mail links them."""
    embedded = context.publication.images == "embedded"
    return [finding for finding in findings if embedded or finding.code != "pictures-heavy"]


def _in_order(findings: Sequence[Finding], changes: ChangedFiles) -> list[Finding]:
    """Return findings about changed files first, errors before warnings: GitHub shows ten of a level."""

    def rank(finding: Finding) -> tuple[bool, bool]:
        return finding.place[0] not in changes.changed, finding.level != "error"

    return sorted(findings, key=rank)


def _chosen(
    essays: Sequence[Essay], changes: ChangedFiles
) -> tuple[list[Essay], list[LocalizedText]]:
    """Return the essays to show, and a remark when they stand for a change of the look.

    These are the ones whose file or pictures differ; without any, and with other templates or settings,
    the newest one that is ready.
    """
    changed = set(changes.changed)
    chosen = [
        essay
        for essay in essays
        if any(_is_changed(one, changes) for one in (essay, *essay.translations))
    ]
    if chosen:
        return sorted(chosen, key=lambda essay: essay.date, reverse=True), []
    if _issues(changes):
        return [], []
    if not any(path.startswith("templates/") or "/" not in path for path in changed):
        return [], [localized("pull-request-nothing")]
    ready = [essay for essay in essays if essay.status == "ready"]
    newest = sorted(ready, key=lambda essay: essay.date, reverse=True)[:1]
    return newest, [localized("pull-request-look") if newest else localized("pull-request-nothing")]


def _is_changed(essay: Essay, changes: ChangedFiles) -> bool:
    return bool(set(changes.changed) & {essay.source, *_pictures(essay)})


def _versions(essay: Essay, changes: ChangedFiles) -> list[Essay]:
    """Return the languages of an essay that the branch changes; all of them when only the look differs."""
    versions = [essay, *essay.translations]
    return [version for version in versions if _is_changed(version, changes)] or versions


def _name(essay: Essay, version: Essay) -> str:
    """Return what an essay is called on the page, a translation with its language: ``slug.en``."""
    return essay.slug if version is essay else f"{essay.slug}.{base_of(version.language)}"


def _in_language(manifest: Manifest, language: str) -> Manifest:
    """Return a manifest in one of its languages; the main one where it does not have it."""
    return manifest.of(manifest.issue.in_language(language) or manifest.issue.in_languages[0])


def _pictures(essay: Essay) -> set[str]:
    """Return the files of the pictures that an essay shows, relative to the publication."""
    return {f"content/images/{path}" for path in referenced_paths([essay])}


def _essay(
    now: AppContext,
    before: AppContext | None,
    day: IssueId,
    essay: Essay,
    version: Essay,
    findings: Sequence[Finding],
) -> PreviewPart:
    """Return the part of an essay in one of its languages, `version`."""
    old = None if before is None else _at_base(before, day, essay, version.language)
    note = _note(version, old, known=before is not None)
    of_essay = [finding for finding in findings if finding.place[0] == version.source]
    manifest = _in_language(compose_essay(now, day, essay), version.language)
    part = _part(now, manifest, of_essay, note)
    if old is None:
        return part
    change = TextChange("issue.txt", old.text, part.rendered.text)
    return replace(part, diff=change.unified())


def _issues(changes: ChangedFiles) -> dict[str, tuple[IssueId, str]]:
    """Return the issues whose files differ, and the language in a file's name, by that name without its end.

    A file of another name is a finding already.
    """
    issues = {}
    for path in changes.changed:
        with suppress(UpcycleError):
            if path.startswith(ISSUES) and path.endswith(".md"):
                name = path.removeprefix(ISSUES).removesuffix(".md")
                issue, _, language = name.partition(".")
                if language in ("", *LANGUAGES):
                    issues[name] = (IssueId.parse(issue), language)
    return issues


def _issue(
    now: AppContext, issue: IssueId, language: str, findings: Sequence[Finding]
) -> PreviewPart:
    file = f"{ISSUES}{issue}{f'.{language}' if language else ''}.md"
    of_file = [finding for finding in findings if finding.place[0] == file]
    manifest = _in_language(compose_manifest(now, issue), language or now.language)
    return _part(now, manifest, of_file, localized("pull-request-issue", file=file))


def _part(
    now: AppContext, manifest: Manifest, findings: Sequence[Finding], note: LocalizedText
) -> PreviewPart:
    of_rendering = [
        finding for finding in check_manifest(now, manifest) if finding.where.startswith("issue.")
    ]
    return PreviewPart(
        render(manifest),
        tuple(dict.fromkeys([*findings, *of_rendering])),
        note=note.in_language(now.language),
    )


def _at_base(before: AppContext, day: IssueId, essay: Essay, language: str) -> RenderedIssue | None:
    """Return the essay as the base renders it in a language; None if it has none, or cannot."""
    essays = read_essays(before.content_folder, before.settings.home, before.language).essays
    same = next((old for old in essays if old.slug == essay.slug), None)
    has_language = same is not None and any(
        base_of(one.language) == base_of(language) for one in (same, *same.translations)
    )
    if same is None or not has_language:
        return None
    try:
        return render(_in_language(compose_essay(before, day, same), language))
    except UpcycleError:
        return None


def _note(essay: Essay, old: RenderedIssue | None, *, known: bool) -> LocalizedText:
    draft = localized("pull-request-draft") if essay.status != "ready" else ""
    if old:
        return localized("pull-request-changed", file=essay.source, draft=draft)
    if known:
        return localized("pull-request-added", file=essay.source, draft=draft)
    return localized("pull-request-no-base", file=essay.source, draft=draft)


def _unshown(
    more: Sequence[Essay], changes: ChangedFiles, base_unreadable: bool
) -> list[LocalizedText]:
    """Return a remark for each thing that the page cannot show."""
    remarks = [localized("pull-request-no-items")]
    if more:
        names = ", ".join(essay.source for essay in more)
        remarks.append(localized("pull-request-more", count=len(more), names=names))
    if base_unreadable:
        remarks.append(localized("pull-request-base-unreadable", commit=changes.base[:12]))
    return remarks
