"""What is new in an issue, as editors read it: since the last question, and since the last issue.

Settings are named and never quoted: some of them are addresses.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from upcycle_news.app.context import AppContext
from upcycle_news.curation.manifest_diff import Difference, compare
from upcycle_news.i18n.messages import localized
from upcycle_news.models import IssueId, Manifest
from upcycle_news.services.markdown import Words, md
from upcycle_news.storage import approvals, revisions
from upcycle_news.storage import revisions as revision_rows


def since_last_time(
    context: AppContext, words: Words, issue: IssueId, revision_id: str, new: Manifest
) -> list[str]:
    """For the question: what changed since the last one, or in the look since the last issue.

    Before the first question everything is new: that is not told a second time.
    """
    asked = approvals.asked_before(context.store, issue, revision_id)
    old = revisions.revision(context.store, issue, asked) if asked else None
    if old is None:
        return _since_last_issue(context, words, issue, new, contents=False)
    return _section(
        words(localized("since-question")), _contents(words, compare(old.manifest, new))
    )


def what_changed(
    context: AppContext, words: Words, issue: IssueId, revision_id: str, new: Manifest
) -> list[str]:
    """For the report: what changed since the last issue, and with the last revision of this one."""
    before = revision_rows.revision_before(context.store, issue, revision_id)
    old = revisions.revision(context.store, issue, before) if before else None
    lines = _since_last_issue(context, words, issue, new)
    if old is not None:
        title = words(localized("since-revision", revision=old.revision_id[:12]))
        lines += _section(title, _contents(words, compare(old.manifest, new)))
    return [f"### {words(localized('report-changed'))}", "", *lines] if lines else []


def _since_last_issue(
    context: AppContext, words: Words, issue: IssueId, new: Manifest, *, contents: bool = True
) -> list[str]:
    before = revision_rows.issue_before(context.store, issue)
    old = revisions.revision(context.store, *before) if before else None
    if before is None or old is None:
        return []
    difference = replace(compare(old.manifest, new), pictures=())  # other essays, other pictures
    told = [*_in_and_out(words, difference)] if contents else []
    then, now = _feeds(old.manifest), _feeds(new)
    for said, feeds in (
        (localized("feeds-now"), now - then),
        (localized("feeds-then"), then - now),
    ):
        if feeds:
            told.append(f"- {words(said)}: {', '.join(md(feed) for feed in sorted(feeds))}")
    return _section(
        words(localized("since-issue", issue=str(before[0]))),
        [*told, *_look(words, difference)],
    )


def _in_and_out(words: Words, difference: Difference) -> Iterator[str]:
    for told, essays, items in (
        (words(localized("changed-new")), difference.essays_in, difference.items_in),
        (words(localized("changed-dropped")), difference.essays_out, difference.items_out),
    ):
        yield from (f"- {told}: {md(essay.title)}" for essay in essays)
        yield from (f"- {told}: {md(one.story.lead.title)}" for one in items)


def _contents(words: Words, difference: Difference) -> Iterator[str]:
    yield from _in_and_out(words, difference)
    changed = words(localized("changed"))
    yield from (f"- {changed}: {md(_title(one.new))}" for one in difference.essays)
    yield from (f"- {changed}: {md(one.new.partition(chr(10))[0])}" for one in difference.items)
    if difference.order:
        yield f"- {words(localized('changed-order'))}"
    yield from _look(words, difference)


def _look(words: Words, difference: Difference) -> Iterator[str]:
    for told, names in (
        (localized("changed-templates"), [one.name for one in difference.templates]),
        (localized("changed-settings"), [one.name for one in difference.settings]),
        (
            localized("changed-pictures"),
            [f"{path} ({words(_PICTURES[how])})" for path, how in difference.pictures],
        ),
    ):
        if names:
            yield f"- {words(told)}: {', '.join(md(name) for name in names)}"


_PICTURES = {
    "new": localized("picture-new"),
    "dropped": localized("picture-dropped"),
    "changed": localized("picture-changed"),
}


def _title(essay_text: str) -> str:
    return essay_text.partition("\n")[0].removeprefix("title: ")


def _feeds(manifest: Manifest) -> set[str]:
    return {item.feed for one in manifest.issue.related for item in one.story.items}


def _section(title: str, lines: list[str] | Iterator[str]) -> list[str]:
    found = list(lines)
    return [f"**{title}**", "", *found, ""] if found else []
