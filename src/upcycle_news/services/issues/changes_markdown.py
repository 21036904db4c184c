"""Changes of an issue as Markdown: since the last approval request, revision and issue.

Settings are named and never quoted: some of them are addresses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from upcycle_news.app.context import AppContext
from upcycle_news.curation.manifest_diff import ManifestDiff, TextChange, diff_manifests
from upcycle_news.i18n.messages import LocalizedText, localized
from upcycle_news.models import IssueId, Manifest
from upcycle_news.models.language_names import language_name
from upcycle_news.storage import approvals, revisions
from upcycle_news.storage.revisions import Revision
from upcycle_news.text.escaped_markdown import Translator, escape_markdown
from upcycle_news.text.sanitize import truncate

_SHOWN = 200  # characters of a text that changed


def changes_since_last_request(
    context: AppContext, translate: Translator, revision: Revision
) -> list[str]:
    """Return the changes since the last approval request of the issue, and since the last issue.

    All contents are new since the last issue: there only templates, settings and feeds are compared.
    """
    issue, new = revision.issue, revision.manifest
    previous = approvals.previous_requested_revision(context.store, issue, revision.revision_id)
    old = revisions.load_revision(context.store, issue, previous) if previous else None
    asked = (
        _section(
            translate(localized("since-approval-request")),
            _contents(translate, diff_manifests(old.manifest, new)),
        )
        if old is not None
        else []
    )
    return [*asked, *_since_last_issue(context, translate, issue, new, contents=False)]


def changes_section(context: AppContext, translate: Translator, revision: Revision) -> list[str]:
    """Return the report's section: changes since the last issue, and since its last revision."""
    issue, new = revision.issue, revision.manifest
    before = revisions.previous_revision(context.store, issue, revision.revision_id)
    old = revisions.load_revision(context.store, issue, before) if before else None
    lines = _since_last_issue(context, translate, issue, new)
    if old is not None:
        title = translate(localized("since-revision", revision=old.revision_id[:12]))
        lines += _section(title, _contents(translate, diff_manifests(old.manifest, new)))
    return [f"### {translate(localized('report-changed'))}", "", *lines] if lines else []


def _since_last_issue(
    context: AppContext,
    translate: Translator,
    issue: IssueId,
    new: Manifest,
    *,
    contents: bool = True,
) -> list[str]:
    before = revisions.previous_issue(context.store, issue)
    old = revisions.load_revision(context.store, *before) if before else None
    if before is None or old is None:
        return []
    difference = replace(
        diff_manifests(old.manifest, new), pictures=()
    )  # new essays have new pictures anyway
    lines = [*_added_and_removed(translate, difference)] if contents else []
    old_feeds, new_feeds = _feeds(old.manifest), _feeds(new)
    for label, feeds in (
        (localized("feeds-now"), new_feeds - old_feeds),
        (localized("feeds-then"), old_feeds - new_feeds),
    ):
        if feeds:
            lines.append(
                f"- {translate(label)}: {', '.join(escape_markdown(feed) for feed in sorted(feeds))}"
            )
    return _section(
        translate(localized("since-issue", issue=str(before[0]))),
        [*lines, *_appearance(translate, difference)],
    )


def _added_and_removed(translate: Translator, difference: ManifestDiff) -> Iterator[str]:
    for label, essays, items in (
        (translate(localized("changed-new")), difference.essays_in, difference.items_in),
        (translate(localized("changed-dropped")), difference.essays_out, difference.items_out),
    ):
        yield from (f"- {label}: {escape_markdown(essay.title)}" for essay in essays)
        yield from (f"- {label}: {escape_markdown(item.story.lead.title)}" for item in items)


def _contents(translate: Translator, difference: ManifestDiff) -> Iterator[str]:
    for label, change in (
        (localized("changed-subject"), difference.subject),
        (localized("changed-greeting"), difference.greeting),
    ):
        if change is not None:
            yield f"- {translate(_changed_text(label, change))}"
    yield from _added_and_removed(translate, difference)
    changed = translate(localized("changed"))
    yield from (f"- {changed}: {escape_markdown(_title(essay.new))}" for essay in difference.essays)
    yield from (
        f"- {changed}: {escape_markdown(item.new.partition(chr(10))[0])}"
        for item in difference.items
    )
    if difference.order:
        yield f"- {translate(localized('changed-order'))}"
    if difference.file is not None:
        yield f"- {changed}: {escape_markdown(difference.file.name)}"
    for language, translation in difference.translations:
        named = translate(language_name(language))
        yield from (f"- {named}: {line[2:]}" for line in _contents(translate, translation))
    yield from _appearance(translate, difference)


def _changed_text(label: LocalizedText, change: TextChange) -> LocalizedText:
    new, old = (escape_markdown(truncate(text, _SHOWN)) for text in (change.new, change.old))
    if not change.new:
        return localized("changed-text-gone", name=label, old=old)
    if not change.old:
        return localized("changed-text-new", name=label, new=new)
    return localized("changed-text", name=label, new=new, old=old)


def _appearance(translate: Translator, difference: ManifestDiff) -> Iterator[str]:
    for label, names in (
        (localized("changed-templates"), [entry.name for entry in difference.templates]),
        (localized("changed-settings"), [entry.name for entry in difference.settings]),
        (
            localized("changed-pictures"),
            [f"{path} ({translate(_PICTURES[change])})" for path, change in difference.pictures],
        ),
    ):
        if names:
            yield f"- {translate(label)}: {', '.join(escape_markdown(name) for name in names)}"


_PICTURES = {
    "new": localized("picture-new"),
    "dropped": localized("picture-dropped"),
    "changed": localized("picture-changed"),
}


def _title(essay_text: str) -> str:
    return essay_text.partition("\n")[0].removeprefix("title: ")


def _feeds(manifest: Manifest) -> set[str]:
    return {item.feed for related in manifest.issue.related for item in related.story.items}


def _section(title: str, lines: list[str] | Iterator[str]) -> list[str]:
    content = list(lines)
    return [f"**{title}**", "", *content, ""] if content else []
