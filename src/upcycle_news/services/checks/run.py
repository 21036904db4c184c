"""Checks everything that editors write, without sending or storing anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from upcycle_news.app.context import AppContext
from upcycle_news.checks.essay import check_essay
from upcycle_news.checks.templates import check_templates
from upcycle_news.content.essays import read_essays
from upcycle_news.errors import NothingNew, PlacedError, UpcycleError
from upcycle_news.i18n.messages import localized
from upcycle_news.models import Essay, Finding, IssueId
from upcycle_news.rendering.templates import load_templates
from upcycle_news.services.checks.own_flows import check_flows
from upcycle_news.services.content.files import load_publication_feeds, load_publication_vocabulary
from upcycle_news.services.content.images import load_essay_images
from upcycle_news.services.feeds.pins import unknown_pins
from upcycle_news.services.issues.compose import compose_manifest
from upcycle_news.services.issues.render import check_manifest, render_issue
from upcycle_news.storage import issues


def check_everything(context: AppContext, issue: IssueId) -> tuple[Finding, ...]:
    """Check essays, feeds.toml, vocabulary.toml, templates and the issue as it would be now.

    Errors become findings, so that all of them are reported at once. The issue itself is checked
    only when essays, feeds, vocabulary and templates have no errors. Flows are checked as well.
    """
    collection = read_essays(
        context.content_folder, context.settings.home, context.settings.publication.language
    )
    findings = [_finding("essay", error) for error in collection.errors]
    findings += [finding for essay in collection.essays for finding in _check_essay(context, essay)]
    findings += unknown_pins(context, _unpublished(context, collection.essays))
    findings += _stray_files(context)
    findings += _check_feeds(context)
    findings += _check_templates(context)
    if not any(finding.level == "error" for finding in findings):
        findings += _check_issue(context, issue)
    findings += check_flows(context.settings.home)
    return tuple(dict.fromkeys(findings))


def _unpublished(context: AppContext, essays: Sequence[Essay]) -> list[Essay]:
    """Return essays that were in no issue yet: the pins of the others are of no use any more."""
    published, _ = issues.load_used_content(context.store)
    return [essay for essay in essays if essay.slug not in published]


def _check_essay(context: AppContext, essay: Essay) -> Iterator[Finding]:
    """Check an essay's text, and that its images can be converted."""
    folder = context.content_folder / "images"
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    findings = tuple(check_essay(essay, present))
    yield from findings
    if not any(finding.code == "image-missing" for finding in findings):
        try:
            load_essay_images(context, (essay,))
        except UpcycleError as error:
            yield _finding("image", error)


def _stray_files(context: AppContext) -> Iterator[Finding]:
    """Warn of files beside the essays that are not read, mostly for a forgotten suffix."""
    for path in sorted((context.content_folder / "essays").glob("*")):
        if path.is_file() and path.suffix != ".md" and not path.name.startswith((".", "README")):
            where = path.relative_to(context.settings.home).as_posix()
            yield Finding("warning", "essay-stray", where, localized("essay-stray"))


def _check_feeds(context: AppContext) -> Iterator[Finding]:
    try:
        load_publication_feeds(context)
    except UpcycleError as error:
        yield _finding("feeds", error)
    try:
        load_publication_vocabulary(context)
    except UpcycleError as error:
        yield _finding("vocabulary", error)


def _check_templates(context: AppContext) -> Iterator[Finding]:
    try:
        yield from check_templates(load_templates(context.templates_folder))
    except UpcycleError as error:
        yield _finding("template", error)


def _check_issue(context: AppContext, issue: IssueId) -> Iterator[Finding]:
    """Check the issue as it was frozen, or as it would be composed now."""
    row = issues.get(context.store, issue)
    try:
        if row is not None and row.revision_id:
            yield from render_issue(context, issue, row.revision_id).findings
        else:
            yield from check_manifest(context, compose_manifest(context, issue))
    except NothingNew as error:
        yield Finding("warning", "nothing-new", "content", error.localized_text)
    except UpcycleError as error:
        yield _finding("issue", error)


def _finding(code: str, error: UpcycleError) -> Finding:
    where = error.place if isinstance(error, PlacedError) else "publication"
    return Finding("error", code, where, error.localized_text)
