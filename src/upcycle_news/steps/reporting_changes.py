"""What is new in an issue, as editors read it: since the last question, and since the last issue.

Settings are named and never quoted: some of them are addresses.
"""

from __future__ import annotations

from collections.abc import Iterator

from upcycle_news.model import IssueId, Manifest
from upcycle_news.newsroom import Newsroom
from upcycle_news.steps.differences import Difference, compare
from upcycle_news.steps.reporting_text import md
from upcycle_news.store import approvals, history, revisions


def since_last_time(room: Newsroom, issue: IssueId, digest: str, new: Manifest) -> list[str]:
    """For the question: what changed since the last one, or since the issue that was sent last."""
    asked = approvals.asked_before(room.store, issue, digest)
    old = revisions.revision(room.store, issue, asked) if asked else None
    if old is None:
        return _since_last_issue(room, issue, new)
    return _section("Since the last question", _contents(compare(old.manifest, new)))


def what_changed(room: Newsroom, issue: IssueId, digest: str, new: Manifest) -> list[str]:
    """For the report: what changed since the last issue, and with the last revision of this one."""
    before = history.revision_before(room.store, issue, digest)
    old = revisions.revision(room.store, issue, before) if before else None
    lines = _since_last_issue(room, issue, new)
    if old is not None:
        difference = compare(old.manifest, new)
        lines += _section(f"Since revision `{old.hash[:12]}` of this issue", _contents(difference))
    return ["### What changed", "", *lines] if lines else []


def _since_last_issue(room: Newsroom, issue: IssueId, new: Manifest) -> list[str]:
    before = history.issue_before(room.store, issue)
    old = revisions.revision(room.store, *before) if before else None
    if before is None or old is None:
        return []
    difference = compare(old.manifest, new)
    told = [f"- new: {md(essay.title)}" for essay in difference.essays_in]
    told += [f"- new: {md(one.story.lead.title)}" for one in difference.items_in]
    told += [f"- dropped: {md(essay.title)}" for essay in difference.essays_out]
    told += [f"- dropped: {md(one.story.lead.title)}" for one in difference.items_out]
    then, now = _feeds(old.manifest), _feeds(new)
    for told_how, names in (
        ("feeds in it now and not then", now - then),
        ("feeds in it then and not now", then - now),
    ):
        told += [f"- {told_how}: {', '.join(md(name) for name in sorted(names))}"] if names else []
    return _section(f"Since issue {before[0]}", [*told, *_look(difference)])


def _contents(difference: Difference) -> Iterator[str]:
    for told, essays, items in (
        ("new", difference.essays_in, difference.items_in),
        ("dropped", difference.essays_out, difference.items_out),
    ):
        yield from (f"- {told}: {md(essay.title)}" for essay in essays)
        yield from (f"- {told}: {md(one.story.lead.title)}" for one in items)
    yield from (f"- changed: {md(_title(one.new))}" for one in difference.essays)
    yield from (f"- changed: {md(one.new.partition(chr(10))[0])}" for one in difference.items)
    if difference.order:
        yield "- the essays are in another order"
    yield from _look(difference)


def _look(difference: Difference) -> Iterator[str]:
    for told, names in (
        ("templates", [one.name for one in difference.templates]),
        ("settings", [one.name for one in difference.settings]),
    ):
        if names:
            yield f"- changed {told}: {', '.join(md(name) for name in names)}"
    if pictures := [f"{path} ({how})" for path, how in difference.pictures]:
        yield f"- pictures: {', '.join(map(md, pictures))}"


def _title(essay_text: str) -> str:
    return essay_text.partition("\n")[0].removeprefix("title: ")


def _feeds(manifest: Manifest) -> set[str]:
    return {item.feed for one in manifest.issue.related for item in one.story.items}


def _section(title: str, lines: list[str] | Iterator[str]) -> list[str]:
    found = list(lines)
    return [f"**{title}:**", "", *found, ""] if found else []
