"""Feeds and items that editors and publishers change between collecting and the issue."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from upcycle_news.services.issues import compose
from upcycle_news.storage import approvals
from upcycle_news.storage import feeds as feed_rows

from ...feeds.feed_site import site
from .weekly import ListedFeed, Weekly


@pytest.fixture
def weekly(publication: Any, clock: Any) -> Iterator[Weekly]:
    publication.add_subscribers("leserin@example.org")
    with site() as server:
        yield Weekly(publication, server, clock)


def items(*numbers: int, host: str = "hof.example.org") -> list[dict[str, Any]]:
    texts = (
        "Das Heu ist trocken.",
        "Der Brunnen läuft.",
        "Ein Dach aus Reet.",
        "Vier Bienenvölker.",
    )
    return [
        {"title": f"Meldung {n}", "link": f"https://{host}/{n}", "guid": str(n), "text": texts[n],
         "age_days": 2 + n}
        for n in numbers
    ]  # fmt: skip


def titles(weekly: Weekly) -> set[str]:
    rendered = weekly.preview()
    return (
        set()
        if rendered is None
        else {row.story.lead.title for row in rendered.revision.manifest.issue.related}
    )


def test_topics_and_language_of_a_feed_reach_the_items_that_are_stored(weekly: Weekly) -> None:
    weekly.collect([ListedFeed("Hof", "/a.xml", items(0))], weekly.clock())
    path = weekly.publication.home / "content/feeds.toml"
    text = path.read_text(encoding="utf-8").replace('language = "de"', 'language = "de_CH"')
    path.write_text(f'{text}topics = ["Bauen"]\n', encoding="utf-8")
    rendered = weekly.preview()
    assert rendered is not None
    [related] = rendered.revision.manifest.issue.related
    assert (related.story.lead.topics, related.story.lead.language) == (("Bauen",), "de-CH")


def test_a_feed_of_another_name_and_address_is_recognised_by_its_items(weekly: Weekly) -> None:
    start = weekly.clock()
    weekly.collect([ListedFeed("Hof", "/a.xml", items(0, 1, 2))], start)
    assert weekly.send() is not None
    weekly.clock.now += timedelta(days=7)
    moved = items(0, 1, 2, 3, host="neu.example.com")
    weekly.collect([ListedFeed("Gut", "/b.xml", moved)], start)
    assert titles(weekly) == {"Meldung 3"}


def test_another_feed_takes_nothing_over_from_one_that_is_listed_no_more(weekly: Weekly) -> None:
    start = weekly.clock()
    weekly.collect([ListedFeed("Hof", "/a.xml", items(0, 1))], start)
    other = [{**row, "title": f"Andere {row['guid']}", "text": ""} for row in items(0, 1)]
    weekly.collect([ListedFeed("Gut", "/b.xml", other)], start)
    with weekly.context() as context:
        assert len(feed_rows.states(context.store)) == 2


def test_what_an_editor_left_out_is_said_to_be_left_out(weekly: Weekly) -> None:
    weekly.collect([ListedFeed("Hof", "/a.xml", items(0, 1))], weekly.clock())
    with weekly.context() as context:
        revision = compose.compose_issue(context, weekly.issue)
        [lead] = [
            row.story.lead
            for row in revision.manifest.issue.related
            if row.story.lead.title == "Meldung 0"
        ]
        approvals.exclude_items(context.store, weekly.issue, [lead.key, lead.canonical])
    why = {row["title"]: row["why_not"] for row in weekly.explain()}
    assert why == {"Meldung 0": "an editor left it out of this issue", "Meldung 1": None}
    weekly.send()
    weekly.clock.now += timedelta(days=7)
    assert titles(weekly) == {"Meldung 0"}


def test_an_undated_archive_can_be_pinned_and_new_undated_items_are_new(weekly: Weekly) -> None:
    undated = [{**row, "age_days": None} for row in items(0, 1)]
    report = weekly.collect([ListedFeed("Hof", "/a.xml", undated)], weekly.clock())
    assert "2 of its items have no date" in report.problems[0][1]
    assert titles(weekly) == set()
    weekly.collect(
        [ListedFeed("Hof", "/a.xml", [{**items(2)[0], "age_days": None}, *undated])], weekly.clock()
    )
    assert titles(weekly) == {"Meldung 2"}
    weekly.publication.write_essay("Heu", pin='["https://hof.example.org/0"]')
    assert "Meldung 0" in titles(weekly)


def test_a_withdrawn_item_stays_out_with_a_finding_unless_it_is_pinned(weekly: Weekly) -> None:
    start = weekly.clock()
    weekly.collect([ListedFeed("Hof", "/a.xml", items(0, 1, 2))], start)
    weekly.collect([ListedFeed("Hof", "/a.xml", items(0, 2))], start)
    rendered = weekly.preview()
    assert rendered is not None
    assert titles(weekly) == {"Meldung 0", "Meldung 2"}
    [finding] = [row for row in rendered.findings if row.code == "item-withdrawn"]
    assert (finding.where, "Meldung 1" in finding.in_language("de")) == ("Hof", True)
    weekly.publication.write_essay("Brunnen", pin='["https://hof.example.org/1"]')
    assert "Meldung 1" in titles(weekly)
    weekly.collect([ListedFeed("Hof", "/a.xml", items(0, 1, 2))], start)
    with weekly.context() as context:
        assert feed_rows.missing_items_since(context.store, start - timedelta(days=30)) == ()


def test_items_ahead_of_their_day_wait(weekly: Weekly) -> None:
    ahead = [{**items(0)[0], "age_days": -9}, *items(1)]
    weekly.collect([ListedFeed("Hof", "/a.xml", ahead)], weekly.clock())
    assert titles(weekly) == {"Meldung 1"}
    weekly.send()
    weekly.clock.now += timedelta(days=10)
    assert titles(weekly) == {"Meldung 0"}


def test_every_candidate_says_what_it_is_known_by(weekly: Weekly) -> None:
    start = weekly.clock()
    weekly.collect([ListedFeed("Hof", "/a.xml", items(0, 1))], start)
    assert {row["identity"] for row in weekly.explain()} == {"its guid"}
    edited = [{**items(0)[0], "title": "Neue Zeile"}, items(1)[0]]
    weekly.collect([ListedFeed("Hof", "/a.xml", edited)], start)
    known = {row["title"]: row["identity"] for row in weekly.explain()}
    assert known == {"Neue Zeile": "its guid; changed: title", "Meldung 1": "its guid"}
