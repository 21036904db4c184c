"""A year of issues from feeds whose publishers edit, rename, reorder, repeat, withdraw and move."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest

from upcycle_news.services.issues.render import RenderedRevision

from ...feeds.feed_site import site
from .publishers import STYLES, Article, Publisher
from .weekly import ListedFeed, Weekly

MARK = re.compile(r"Marke\d+x\d+")
CHANGES = (
    "edit_headline", "edit_text", "correct_slugs", "move_site", "mark_links", "reorder", "repeat",
    "rename", "move_feed",
)  # fmt: skip


@pytest.fixture
def weekly(publication: Any, clock: Any) -> Iterator[Weekly]:
    publication.add_subscribers("leserin@example.org")
    with site() as server:
        yield Weekly(publication, server, clock, {"ISSUE__EXCERPT": "700", "ISSUE__ITEMS": "60"})


class Simulation:
    """Publishers, what they published, and what readers were told of it."""

    def __init__(self, weekly: Weekly, count: int, seed: int) -> None:
        self.weekly = weekly
        self.random = random.Random(seed)
        self.publishers = [
            Publisher(number, STYLES[number % len(STYLES)], random.Random(seed * 1000 + number))
            for number in range(count)
        ]
        self.published: dict[str, Publisher] = {}
        self.archive: set[str] = set()
        self.withdrawn: dict[str, Article] = {}
        self.told: Counter[str] = Counter()
        self.findings = 0

    def collect(self) -> None:
        feeds = [
            ListedFeed(publisher.name, publisher.path, publisher.items())
            for publisher in self.publishers
        ]
        self.weekly.collect(feeds, self.weekly.clock())

    def week(self, number: int) -> None:
        """Publish, collect, change everything, collect, and send the issue of the week."""
        now = self.weekly.clock()
        for publisher in self.publishers:
            for _ in range(self.random.choice((0, 1, 1, 1, 2)) if number else 1):
                article = publisher.publish(now)
                self.published[article.mark] = publisher
                if publisher.style == "undated" and number == 0:
                    self.archive.add(article.mark)
        self.collect()
        self.weekly.clock.now += timedelta(hours=3)
        out: dict[str, Article] = {}
        for publisher in self.publishers:
            # Withdrawing says something only where the order says something.
            if number and self.random.random() < 0.1 and (article := publisher.withdraw()):
                out[article.mark] = article
                continue
            for change in self.random.sample(CHANGES, k=self.random.choice((0, 1, 2))):
                getattr(publisher, change)()
        self.collect()
        self.withdrawn |= out
        rendered = self.weekly.send()
        self.check(rendered, out)
        self.weekly.clock.now = now + timedelta(days=7)

    def check(self, rendered: RenderedRevision | None, out: dict[str, Article]) -> None:
        assert rendered is not None
        marks = MARK.findall(rendered.content.text)
        printed = Counter(marks)
        assert {mark for mark in printed if self.told[mark]} == set(), "told again"
        assert {mark for mark, count in printed.items() if count > 1} == set(), "twice in an issue"
        named = " ".join(finding.in_language("de") for finding in rendered.findings)
        for mark, article in out.items():
            if not self.told[mark]:
                assert mark not in printed or article.title in named, "withdrawn, and not a word"
                self.findings += article.title[:60] in named
        self.told.update(printed)
        self.check_reasons(set(printed))

    def check_reasons(self, printed: set[str]) -> None:
        for candidate in self.weekly.explain():
            # An item is known by the only text that has its mark.
            found = self.mark_of(candidate["item"], candidate["title"], candidate["feed"])
            why = candidate["why_not"] or ""
            assert candidate["identity"], candidate
            if found is None:
                continue
            if candidate["chosen"]:
                assert found in printed
            elif why in ("it was in an earlier issue", "its story was in an earlier issue"):
                assert self.told[found], f"{found} was never told: {why}"
            elif why.startswith("its publisher took it out"):
                assert found in self.withdrawn
            elif why.startswith("it has no date"):
                assert found in self.archive
            else:
                assert re.match(r"it is \d+ days old|the issue has its 60 items", why), why

    def mark_of(self, link: str, title: str, feed: str) -> str | None:
        """Return the mark of the shown article with this title; None where there are several."""
        marks = {
            article.mark
            for publisher in self.publishers
            if publisher.name == feed
            for article in publisher.shown
            if article.title == title
        }
        return next(iter(marks)) if len(marks) == 1 else None

    def lost(self) -> set[str]:
        """Return what was published, and neither told nor withdrawn nor in an archive."""
        return {
            mark
            for mark in self.published
            if not self.told[mark] and mark not in self.withdrawn and mark not in self.archive
        }


def simulate(weekly: Weekly, *, feeds: int, weeks: int, seed: int) -> Simulation:
    simulation = Simulation(weekly, feeds, seed)
    for number in range(weeks):
        simulation.week(number)
    return simulation


def test_in_some_weeks_nothing_is_told_twice_nothing_lost_and_each_reason_is_true(
    weekly: Weekly,
) -> None:
    simulation = simulate(weekly, feeds=16, weeks=4, seed=5)
    assert simulation.lost() == set()
    assert len(simulation.told) > 40


@pytest.mark.nightly
@pytest.mark.timeout(3600)
def test_in_a_year_nothing_is_told_twice_nothing_lost_and_each_reason_is_true(
    weekly: Weekly,
) -> None:
    simulation = simulate(weekly, feeds=40, weeks=52, seed=2026)
    assert simulation.lost() == set()
    assert len(simulation.told) > 1800
    assert simulation.findings > 5
