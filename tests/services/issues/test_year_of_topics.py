"""A year of issues to readers who go on choosing other topics: nothing twice, no essay missed."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from datetime import timedelta

import pytest
from sqlalchemy import select

from upcycle_news.app.context import AppContext
from upcycle_news.models import DeliveryState, IssueId, IssueState
from upcycle_news.models.variants import issue_of
from upcycle_news.services.issues.compose import compose_issue
from upcycle_news.storage import issues, revisions
from upcycle_news.storage import schema as tables

from ...delivery.memory_ledger import Clock
from ...publications import Publication, approve_issue
from .topic_items import add_readers, choose, offer, publish, write_essay_with

TOPICS = ("Bestand", "Energie", "Handwerk", "Kleinstadt", "Wasser")


class Year:
    """What each reader got, week by week."""

    def __init__(self, publication: Publication, clock: Clock, seed: int) -> None:
        self.publication, self.clock = publication, clock
        self.chance = random.Random(seed)
        self.context: AppContext = publication.context()
        self.items: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self.essays: defaultdict[int, Counter[str]] = defaultdict(Counter)
        self.published: list[list[str]] = []
        self.came_later = 0
        self.voided = 0

    def some_topics(self) -> tuple[str, ...]:
        return tuple(topic for topic in TOPICS if self.chance.random() < 0.35)

    def let_some_choose(self, readers: list[int]) -> None:
        for number in self.chance.sample(readers, len(readers) // 3):
            choose(self.context, number, *self.some_topics())

    def week(self, number: int, readers: list[int]) -> str:
        """Publish, preview, approve, let readers choose, queue and send; returns the essay's slug."""
        topics = [topic for topic in TOPICS if self.chance.random() < 0.6]
        self.published.append(publish(self.context, topics, number))
        recent = [link for links in self.published[-4:] for link in links]
        slug = write_essay_with(self.publication, recent, f"Folge {number:02}")
        issue, rendered = approve_issue(self.context, str(self.clock.now.date()))
        self.let_some_choose(readers)
        again = compose_issue(self.context, issue)
        self.voided += again.revision_id != rendered.revision_id or not again.approved
        issues.enqueue(self.context.store, rendered.revision, now=self.clock.now)
        self.let_some_choose(readers)
        self.record(issue)
        fresh = set(self.published[-1])
        told = issues.used_items(self.context.store, recent)
        self.came_later += len(told - fresh)
        return slug

    def record(self, issue: IssueId) -> None:
        """Record what the deliveries of an issue hold, and count them as sent."""
        row = issues.get(self.context.store, issue)
        assert row is not None
        revision = revisions.load_revision(self.context.store, issue, row.revision_id)
        assert revision is not None
        content, variants = revision.manifest.issue, revision.manifest.variants
        query = select(tables.deliveries.c.subscriber_id, tables.deliveries.c.variant)
        with self.context.store.writing() as connection:
            sent = connection.execute(query.where(tables.deliveries.c.issue_id == str(issue))).all()
            connection.execute(tables.deliveries.update().values(state=DeliveryState.SENT))
        for reader, variant in sent:
            shown = issue_of(content, variants, variant)
            self.items[reader].update(one.story.lead.link for one in shown.related)
            self.essays[reader].update(essay.slug for essay in shown.essays)
        assert issues.close_if_done(self.context.store, issue, now=self.clock.now)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize("weeks", [12, pytest.param(52, marks=pytest.mark.nightly)])
def test_no_reader_gets_an_item_twice_and_none_misses_an_essay(
    publication: Publication, clock: Clock, weeks: int
) -> None:
    offer(publication, TOPICS)
    year = Year(publication, clock, seed=3)
    names = {f"leserin{number}": year.some_topics() for number in range(12)}
    readers = sorted(add_readers(publication, **names).values())
    slugs = []
    for number in range(1, weeks + 1):
        slugs.append(year.week(number, readers))
        clock.now += timedelta(days=7)
    assert year.voided == 0
    for reader in readers:
        assert {link: count for link, count in year.items[reader].items() if count > 1} == {}
        assert year.essays[reader] == Counter(slugs)
    assert sum(map(len, year.items.values())) > weeks * 6
    assert year.came_later > 0  # an item that no variant told comes in a later issue
    states = [row.state for row in issues.all_issues(year.context.store)]
    assert states == [IssueState.CLOSED] * weeks
