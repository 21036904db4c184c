"""A time of issues and digests, with readers who switch: every essay reaches each of them once, mail by mail."""

from __future__ import annotations

import random
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

import pytest

from upcycle_news.errors import NothingNew
from upcycle_news.models import IssueId, IssueState
from upcycle_news.models.digest import DigestInterval, Rhythm, interval_of
from upcycle_news.services.issues.digest import digest_id
from upcycle_news.storage import issues

from ...delivery.memory_ledger import Clock
from ...publications import Publication, issue_status, parse_mail
from .digest_readers import BERLIN, add_reader, choose, offer_digest, send_one

SWITCHES = 3
ODD_TIMES = (time(0, 0), time(2, 30), time(7, 30), time(12, 0), time(23, 59, 59))


@dataclass
class Reader:
    """A reader, and what they chose, each with the day from which on it holds, whatever the period then."""

    number: int
    joined: date
    choices: list[tuple[date, Rhythm]] = field(default_factory=list)

    def rhythm_in(self, start: date) -> Rhythm:
        """Return the rhythm of the period that begins on a day; before the first choice it is every issue."""
        before = [rhythm for day, rhythm in self.choices if day <= start]
        return before[-1] if before else Rhythm.EVERY_ISSUE


class Life:
    """A publication that sends an issue a week, and what each reader has to get of it."""

    def __init__(
        self,
        publication: Publication,
        clock: Clock,
        interval: DigestInterval,
        seed: int,
        store: str,
    ) -> None:
        offer_digest(publication, interval)
        if store:
            publication.change_setting("[publication]", f'store = "{store}"\n\n[publication]')
        self.publication, self.clock, self.interval = publication, clock, interval
        self.chance = random.Random(seed)
        self.context = publication.context()
        self.readers: dict[str, Reader] = {}
        self.sent: dict[str, date] = {}  # the day of the issue of each essay
        self.queued_on: dict[str, date] = {}
        self.itself: Counter[Rhythm] = Counter()

    def live(self, begin: date, weeks: int, readers: int) -> None:
        """Let everything happen in the order of its time: joins, switches, issues and digests."""
        last = begin + timedelta(weeks=weeks)
        events = [*self._of_readers(begin, last, readers), *self._of_issues(begin, weeks)]
        days = (last - begin).days + 100
        events += [(begin + timedelta(days=n), time(8), "digest", "") for n in range(days)]
        for day, at, kind, what in sorted(events, key=lambda one: one[:2]):
            self.clock.now = datetime.combine(day, at, BERLIN).astimezone(UTC)
            getattr(self, kind)(day, what)

    def _of_readers(
        self, begin: date, last: date, readers: int
    ) -> Iterator[tuple[date, time, str, str]]:
        for number in range(readers):
            name = f"leserin{number}"
            joins = begin if number % 4 else self._day(begin, last)
            yield joins, time(0, 1), "join", name
            for _ in range(SWITCHES):
                at = self.chance.choice(ODD_TIMES)
                yield self._day(joins + timedelta(days=1), last), at, "switch", name

    def _of_issues(self, begin: date, weeks: int) -> Iterator[tuple[date, time, str, str]]:
        for number in range(weeks):
            day = begin + timedelta(weeks=number, days=3)
            late = self.chance.choice([0, 0, 0, 0, 5, 9])
            yield day + timedelta(days=late), time(7, 30, number % 60), "issue", str(day)

    def _day(self, first: date, last: date) -> date:
        """Return a day; often one on which a period ends or the clocks change."""
        days = [first + timedelta(days=n) for n in range(max((last - first).days, 1))]
        odd = [day for day in days if self._is_odd(day)]
        return self.chance.choice(odd if odd and self.chance.random() < 0.4 else days)

    def _is_odd(self, day: date) -> bool:
        period = interval_of(day, self.interval)
        midnights = [
            datetime.combine(day + timedelta(days=n), time(), BERLIN).utcoffset() for n in (0, 1)
        ]
        return day in (period.start, period.end - timedelta(days=1)) or midnights[0] != midnights[1]

    # --- what happens

    def join(self, day: date, name: str) -> None:
        rhythm = self.chance.choice(list(Rhythm))
        number = add_reader(self.publication, name, rhythm)
        # The first choice holds from the present period, later ones from the next.
        begins = interval_of(day, self.interval).start
        self.readers[name] = Reader(number, day, [(begins, rhythm)])

    def switch(self, day: date, name: str) -> None:
        reader = self.readers[name]
        rhythm = self.chance.choice(list(Rhythm))
        choose(self.context, reader.number, rhythm)
        reader.choices.append((interval_of(day, self.interval).end, rhythm))

    def issue(self, day: date, of: str) -> None:
        title = f"Folge {of}"
        self.publication.write_essay(title, date=of)
        issue = IssueId.parse(of)
        send_one(self.context, issue)
        self.sent[title], self.queued_on[title] = issue.day, day
        start = interval_of(issue.day, self.interval).start
        expected = Counter(reader.rhythm_in(start) for reader in self.readers.values())
        status = issue_status(self.context, issue)
        assert status.audience == status.sent == expected[Rhythm.EVERY_ISSUE]
        assert status.left_for_digest == expected[Rhythm.DIGEST]
        assert status.closed
        self.itself += expected

    def digest(self, day: date, _: str) -> None:
        try:
            digest = digest_id(self.context)
        except NothingNew:
            return
        assert digest.day <= day
        send_one(self.context, digest)
        start = interval_of(digest.day - timedelta(days=1), self.interval).start
        expected = [one for one in self.readers.values() if one.rhythm_in(start) is Rhythm.DIGEST]
        status = issue_status(self.context, digest)
        assert status.audience == status.sent == len(expected)
        assert status.closed

    # --- what came of it

    def got(self) -> dict[str, Counter[str]]:
        """Return how often each reader got each essay, by their mails."""
        got = {name: Counter[str]() for name in self.readers}
        for mail in map(parse_mail, self.publication.mails()):
            name = mail["To"].addresses[0].username
            text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
            got[name].update(re.findall(r"^(Folge [\d-]+)\r?$", text, re.MULTILINE))
        return got

    def check(self) -> None:
        for name, titles in self.got().items():
            joined = self.readers[name].joined
            due = {title for title, day in self.queued_on.items() if day >= joined}
            assert due <= set(titles), f"{name} missed something"
            assert set(titles.values()) <= {1}, f"{name} got something twice"
            # A new reader's digest also tells what the period had before they came.
            for title in set(titles) - due:
                period = interval_of(self.sent[title], self.interval)
                assert period.start <= joined < period.end or joined <= self.queued_on[title]
        assert min(self.itself.values()) > 0, "both rhythms"
        states = {row.state for row in issues.all_issues(self.context.store)}
        assert states == {IssueState.CLOSED}


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("interval", "begin", "any_store"),
    [
        # The clocks go back on 25 October, and forward on 28 March.
        pytest.param("weekly", date(2026, 10, 12), "sqlite", id="autumn"),
        pytest.param("monthly", date(2027, 3, 8), "postgres", id="spring"),
    ],
    indirect=["any_store"],
)
def test_in_five_weeks_every_essay_reaches_each_reader_once(
    publication: Publication, clock: Clock, any_store: str, interval: DigestInterval, begin: date
) -> None:
    life = Life(publication, clock, interval, seed=begin.month, store=any_store)
    life.live(begin, weeks=5, readers=8)
    life.check()


@pytest.mark.nightly
@pytest.mark.timeout(6 * 3600)
@pytest.mark.parametrize("interval", ["weekly", "monthly", "quarterly"])
@pytest.mark.parametrize("seed", [1, 2])
def test_in_a_year_every_essay_reaches_each_reader_once(
    publication: Publication, clock: Clock, any_store: str, interval: DigestInterval, seed: int
) -> None:
    life = Life(publication, clock, interval, seed, any_store)
    life.live(date(2026, 9, 7), weeks=52, readers=60)
    life.check()
