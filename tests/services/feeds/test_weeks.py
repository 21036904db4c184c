"""What issues make of feeds over several weeks; the cases lie in tests/feeds/cases/weeks."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from ...feeds.feed_site import site
from .weekly import ListedFeed, Weekly

CASES = sorted((Path(__file__).parents[2] / "feeds/cases/weeks").glob("*.json"))


@pytest.fixture
def weekly(publication: Any, clock: Any) -> Iterator[Weekly]:
    publication.add_subscribers("leserin@example.org")
    with site() as server:
        yield Weekly(publication, server, clock)


def flat(text: str) -> str:
    return re.sub(r"\s+", " ", text).casefold()


def ascending(count: int) -> list[dict[str, Any]]:
    """Return so many old items and the newest at the end."""
    old = [
        {"title": f"Teil {n}", "link": f"https://teile.example.org/{n}", "guid": str(n), "age_days": 1500 - n}
        for n in range(1, count + 1)
    ]  # fmt: skip
    new = {
        "title": "Neuester Teil von allen", "link": "https://teile.example.org/neu", "guid": "neu",
        "age_days": 1,
    }  # fmt: skip
    return [*old, new]


def listed(feeds: list[dict[str, Any]], week: int, *, before: bool = False) -> list[ListedFeed]:
    """Return the feeds of a case as they are in a week, or changed before its first issue."""
    result = []
    for number, feed in enumerate(feeds):
        if "ascending" in feed:
            items = ascending(feed["ascending"])
        elif before and "changed_before_issue_1" in feed:
            items = feed["changed_before_issue_1"]
        else:
            items = feed["weeks"][min(week, len(feed["weeks"]) - 1)]
        renamed = feed.get("renamed_before_issue_1") if before or week else None
        moved = week and feed.get("other_address_from_issue_2")
        path = f"/neu{number}.xml" if moved else f"/feed{number}.xml"
        name = renamed or f"Quelle {number + 1}"
        result.append(ListedFeed(name, path, items, feed.get("language", "de")))
    return result


SETTINGS = {"long": {"ISSUE__EXCERPT": "900"}, "public": {"FEEDS__ALLOW_PRIVATE": "false"}}


def play(
    weekly: Weekly, feeds: list[dict[str, Any]], others: set[str]
) -> dict[str, tuple[str, str]]:
    """Return text and findings of each issue, and of previews of the first with other settings."""
    start = weekly.clock()
    weekly.collect(listed(feeds, 0), start)
    if any("changed_before_issue_1" in feed or "renamed_before_issue_1" in feed for feed in feeds):
        weekly.clock.now += timedelta(hours=2)
        weekly.collect(listed(feeds, 0, before=True), start)
    shown = {name: weekly.preview(**SETTINGS[name]) for name in others}
    for week in range(max(len(feed.get("weeks", [0])) for feed in feeds)):
        if week:
            weekly.clock.now = start + timedelta(days=7 * week)
            weekly.collect(listed(feeds, week), start)
        shown[str(week + 1)] = weekly.send()
    return {
        name: ("", "")
        if rendered is None
        else (
            flat(rendered.content.text),
            flat(" ".join(f"{row.where} {row.in_language('de')}" for row in rendered.findings)),
        )
        for name, rendered in shown.items()
    }


def is_right(rule: str, words: list[str], text: str, findings: str) -> bool:
    hits = [word for word in words if flat(word) in text]
    if rule.startswith("at most"):
        return len(hits) <= 2
    if rule.startswith("exactly"):
        return all(text.count(flat(word)) == 1 for word in words)
    if "named in" in rule:
        return all(word not in hits or flat(word) in findings for word in words)
    if rule.startswith("not the last words"):
        return not any(
            re.search(re.escape(flat(word)) + r"\s*(https?://|\*|$)", text) for word in words
        )
    if rule.startswith("no finding"):
        return not any(flat(word) in findings for word in words)
    if rule.startswith("not in"):
        return not hits
    return len(hits) == len(words)


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_issues_of_several_weeks_tell_everything_once(weekly: Weekly, path: Path) -> None:
    case = json.loads(path.read_text(encoding="utf-8"))
    issues = {rule: _issue_of(rule) for rule in case["right"]}
    shown = play(weekly, case["feeds"], {name for name in issues.values() if name in SETTINGS})
    for rule, words in case["right"].items():
        text, findings = shown[issues[rule]]
        assert is_right(rule, words, text, findings), f"{rule}: {words}\n{text}\n{findings}"


def _issue_of(rule: str) -> str:
    """Return the issue that a rule is about, or the settings of its preview."""
    if "900" in rule or "allow_private" in rule:
        return "long" if "900" in rule else "public"
    match = re.search(r"\d+$|issue (\d)", rule)
    assert match
    return match[0][-1]
