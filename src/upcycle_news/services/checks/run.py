"""Look over everything that people wrote, without sending, deciding or remembering anything."""

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

    Errors become findings, so that all of them are told at once. A broken essay, list of feeds,
    vocabulary or template keeps the issue from being looked at. The flows are looked at as well.
    """
    shelf = read_essays(
        context.content_folder, context.settings.home, context.settings.publication.language
    )
    found = [_finding("essay", error) for error in shelf.errors]
    found += [finding for essay in shelf.essays for finding in _essay(context, essay)]
    found += unknown_pins(context, _to_come(context, shelf.essays))
    found += _strays(context)
    found += _feeds(context)
    found += _templates(context)
    if not any(finding.level == "error" for finding in found):
        found += _issue(context, issue)
    found += check_flows(context.settings.home)
    return tuple(dict.fromkeys(found))


def _to_come(context: AppContext, essays: Sequence[Essay]) -> list[Essay]:
    """Essays that were in no issue yet: the pins of the others have done what they could."""
    published, _ = issues.used_up(context.store)
    return [essay for essay in essays if essay.slug not in published]


def _essay(context: AppContext, essay: Essay) -> Iterator[Finding]:
    """What the essay says, and whether its pictures can be shown."""
    folder = context.content_folder / "images"
    present = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    found = tuple(check_essay(essay, present))
    yield from found
    if not any(finding.code == "image-missing" for finding in found):
        try:
            load_essay_images(context, (essay,))
        except UpcycleError as error:
            yield _finding("image", error)


def _strays(context: AppContext) -> Iterator[Finding]:
    """Files among the essays that nobody reads: mostly an ending that was forgotten."""
    for path in sorted((context.content_folder / "essays").glob("*")):
        if path.is_file() and path.suffix != ".md" and not path.name.startswith((".", "README")):
            where = path.relative_to(context.settings.home).as_posix()
            yield Finding("warning", "essay-stray", where, localized("essay-stray"))


def _feeds(context: AppContext) -> Iterator[Finding]:
    try:
        load_publication_feeds(context)
    except UpcycleError as error:
        yield _finding("feeds", error)
    try:
        load_publication_vocabulary(context)
    except UpcycleError as error:
        yield _finding("vocabulary", error)


def _templates(context: AppContext) -> Iterator[Finding]:
    try:
        yield from check_templates(load_templates(context.templates_folder))
    except UpcycleError as error:
        yield _finding("template", error)


def _issue(context: AppContext, issue: IssueId) -> Iterator[Finding]:
    """The issue as it was frozen, or as it would be composed now."""
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
