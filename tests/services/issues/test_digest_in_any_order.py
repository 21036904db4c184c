"""In whatever order things happen, each reader hears of each issue once: by itself or in a digest.

The rule, for a reader who is subscribed when an issue is queued and whose topics it is for:

- of an issue that went out they hear exactly once; of one that was cancelled before anybody had it, never;
- where a mailing is cancelled midway, those who were queued for it and do not have it hear no more of what it told,
  and of an issue those who get it in a digest hear of it there;
- of an issue that is withdrawn before its digest they do not hear in that.

Who joins later hears of it at most once, and only in the digest of the period in which they came. Who leaves
hears no more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from typing import ClassVar

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from sqlalchemy import select, update

from upcycle_news.errors import NothingNew
from upcycle_news.models import DeliveryState, IssueId, Manifest, SubscriberStatus
from upcycle_news.models.digest import Rhythm
from upcycle_news.services.issues.digest import digest_id, digest_manifest
from upcycle_news.storage import corrections, issues, revisions
from upcycle_news.storage.corrections import Correction, CorrectionKind
from upcycle_news.storage.issues import NewApproval
from upcycle_news.storage.schema import deliveries, subscribers

from ...delivery.memory_ledger import Clock
from ...publications import Publication
from ..archive import sent_history
from .digest_readers import add_reader, choose, offer_digest

MONDAY = date(2026, 11, 2)
TOPICS = ("Bestand", "Energie")
LIMITS = st.sampled_from([(), (), ("Bestand",), ("Energie",)])
CHOICES = st.sampled_from([(), ("Bestand",), ("Energie",), TOPICS])
RHYTHMS = st.sampled_from(list(Rhythm))
NUMBERS = st.integers(0, 99)
CANCELLED = st.sampled_from([None, None, None, 0, 1])
"""How many have a mailing before it is cancelled; None: it is not."""


@dataclass
class Told:
    """An issue that was queued. `due` still have to hear of it, `may` who may: in a digest, since they came late."""

    issue: IssueId
    essay: str
    topics: tuple[str, ...]
    due: set[int]
    may: set[int] = field(default_factory=set)
    is_withdrawn: bool = False


def is_for(topics: tuple[str, ...], chosen: tuple[str, ...]) -> bool:
    """Return whether an issue that is limited to topics (none: for all) is for a reader who chose some."""
    return not topics or not chosen or bool(set(topics) & set(chosen))


class DigestMachine(RuleBasedStateMachine):
    """Issues, digests, and readers who come, go and switch; mails are rows of deliveries."""

    publication: ClassVar[Publication]
    clock: ClassVar[Clock]
    blank: ClassVar[bytes]

    @initialize(rhythms=st.tuples(RHYTHMS, RHYTHMS), topics=st.tuples(CHOICES, CHOICES))
    def begin(self, rhythms: tuple[Rhythm, ...], topics: tuple[tuple[str, ...], ...]) -> None:
        self.clock.now = datetime(MONDAY.year, MONDAY.month, MONDAY.day, 8, tzinfo=UTC)
        for context in self.publication.contexts:
            context.__exit__()
        self.publication.contexts.clear()
        for file in (self.publication.home / "var").glob("upcycle.db*"):
            file.unlink()
        (self.publication.home / "var/upcycle.db").write_bytes(self.blank)
        self.context = self.publication.context()
        self.store = self.context.store
        self.readers: dict[int, tuple[str, ...]] = {}
        self.told: dict[str, Told] = {}
        self.heard: Counter[tuple[int, str]] = Counter()
        self.expected: Counter[tuple[int, str]] = Counter()
        for rhythm, chosen in zip(rhythms, topics, strict=True):
            self.join(rhythm, chosen)

    # --- readers

    @precondition(lambda self: len(self.readers) < 6)
    @rule(rhythm=RHYTHMS, topics=CHOICES)
    def join(self, rhythm: Rhythm, topics: tuple[str, ...]) -> None:
        name = f"reader{len(self.heard)}-{self.clock.now:%m%d%H%M%S}-{len(self.readers)}"
        number = add_reader(self.publication, name, rhythm, topics=topics)
        self.readers[number] = topics
        for told in self.told.values():
            if is_for(told.topics, topics):
                told.may.add(number)
        self.pass_time(0)

    @precondition(lambda self: self.readers)
    @rule(number=NUMBERS, rhythm=RHYTHMS)
    def switch(self, number: int, rhythm: Rhythm) -> None:
        choose(self.context, self._reader(number), rhythm)

    @precondition(lambda self: len(self.readers) > 2)
    @rule(number=NUMBERS)
    def leave(self, number: int) -> None:
        reader = self._reader(number)
        with self.store.writing() as connection:
            left = {"status": SubscriberStatus.UNSUBSCRIBED}
            connection.execute(update(subscribers).where(subscribers.c.id == reader).values(**left))
        del self.readers[reader]
        for told in self.told.values():
            told.due.discard(reader)
            told.may.discard(reader)

    def _reader(self, number: int) -> int:
        return sorted(self.readers)[number % len(self.readers)]

    # --- mailings

    @rule(days=st.integers(0, 9))
    def pass_time(self, days: int) -> None:
        self.clock.now += timedelta(days=days, seconds=1)

    @precondition(lambda self: self.readers)
    @rule(ago=st.sampled_from([0, 0, 0, 1, 6, 9]), topics=LIMITS, received=CANCELLED)
    def publish(self, ago: int, topics: tuple[str, ...], received: int | None) -> None:
        """An issue of today, or of a day that has passed."""
        day = self.context.today - timedelta(days=ago)
        taken = len(issues.issues_of_day(self.store, day))
        issue = IssueId(day, taken + 1) if taken else IssueId(day)
        made = self._manifest(issue, topics)
        wanting = {one for one, chosen in self.readers.items() if is_for(topics, chosen)}
        if not wanting:
            return
        [essay] = made.issue.essays
        told = self.told[essay.slug] = Told(issue, essay.slug, topics, wanting)
        queued, got = self._send(made, received)
        assert queued <= wanting
        told.due -= queued
        for reader in got:
            self.expected[reader, told.essay] += 1
        if received is not None and queued and not got:
            told.due.clear()
            told.may.clear()
            told.is_withdrawn = True  # from here on as if it were

    @precondition(lambda self: self.told)
    @rule(number=NUMBERS, received=CANCELLED)
    def send_digest(self, number: int, received: int | None) -> None:
        """The digest that is due, if any is."""
        try:
            digest = digest_id(self.context)
        except NothingNew:
            return
        made = digest_manifest(self.context, digest)
        received = received if digest.digest < 6 else None
        queued, got = self._send(replace(made, templates={}), received)
        if received is not None and not got:
            return  # the next one tells it
        for essay in made.issue.essays:
            told = self.told[essay.slug]
            assert not told.is_withdrawn
            assert queued & (told.due | told.may) == queued, "of nothing that is not theirs"
            for reader in got:
                self.expected[reader, told.essay] += 1
            told.due -= queued
            told.may -= queued

    @precondition(lambda self: self.told)
    @rule(number=NUMBERS)
    def withdraw(self, number: int) -> None:
        told = self.told[sorted(self.told)[number % len(self.told)]]
        decision = Correction(told.issue, CorrectionKind.WITHDRAWAL, "", "", "Ada", self.clock.now)
        corrections.add_correction(self.store, decision)
        told.is_withdrawn = True
        told.due.clear()
        told.may.clear()

    @precondition(lambda self: self.told)
    @rule(number=NUMBERS)
    def correct(self, number: int) -> None:
        told = self.told[sorted(self.told)[number % len(self.told)]]
        revision = revisions.load_revision(self.store, told.issue)
        assert revision is not None
        [essay] = revision.manifest.issue.essays
        decision = Correction(
            told.issue, CorrectionKind.CORRECTION, essay.slug, "", "Ada", self.clock.now,
            corrected=replace(essay, body=f"{essay.body} Berichtigt."),
        )  # fmt: skip
        corrections.add_correction(self.store, decision)

    def _manifest(self, issue: IssueId, topics: tuple[str, ...]) -> Manifest:
        publication = replace(self.context.publication, readers_of=topics)
        base = sent_history.manifest(0, publication, {}, essays=1, words=8)
        [essay] = base.issue.essays
        slug = f"essay-{issue}"
        essay = replace(essay, slug=slug, title=slug, date=issue.day)
        return replace(base, issue=replace(base.issue, id=issue, essays=(essay,), related=()))

    def _send(self, made: Manifest, received: int | None) -> tuple[set[int], set[int]]:
        """Queue and send a mailing, or cancel it when so many have it; return who was queued, and who got it."""
        now, issue = self.clock.now, made.issue.id
        revision = revisions.save_revision(self.store, made, git_commit="", now=now)
        issues.enqueue(
            self.store, revision, now=now, approval=NewApproval(by="Ada"), interval="weekly"
        )
        of_issue = deliveries.c.issue_id == str(issue)
        with self.store.writing() as connection:
            queued = list(
                connection.scalars(
                    select(deliveries.c.subscriber_id).where(of_issue).order_by(deliveries.c.id)
                )
            )
            got = queued[:received]
            sent = deliveries.c.subscriber_id.in_(got)
            connection.execute(
                update(deliveries).where(of_issue, sent).values(state=DeliveryState.SENT)
            )
        if received is not None and len(got) < len(queued):
            issues.cancel(self.store, issue, by="Ada", reason="", now=now)
        issues.close_if_done(self.store, issue, now=now)
        self._hear(made, got)
        self.pass_time(0)
        return set(queued), set(got)

    def _hear(self, made: Manifest, readers: Collection[int]) -> None:
        slugs = [essay.slug for essay in made.issue.essays]
        self.heard.update((reader, slug) for reader in readers for slug in slugs)

    # --- what holds

    @invariant()
    def nobody_hears_of_anything_twice(self) -> None:
        if hasattr(self, "heard"):
            assert set(self.heard.values()) <= {1}
            assert self.heard == self.expected

    def teardown(self) -> None:
        """After the last digest everybody has heard of everything."""
        if not hasattr(self, "told"):
            return
        self.pass_time(14)
        for _ in range(60):
            before = self.heard.total()
            self.send_digest(0, None)
            if self.heard.total() == before:
                break
        self.nobody_hears_of_anything_twice()
        missed = {one.essay: one.due for one in self.told.values() if one.due}
        assert not missed, "never told"


@pytest.mark.parametrize(
    "examples",
    [
        pytest.param(15, id="few"),
        pytest.param(1500, id="many", marks=[pytest.mark.nightly, pytest.mark.timeout(3600)]),
    ],
)
def test_each_reader_hears_of_each_issue_once_in_any_order(
    publication: Publication, clock: Clock, _migrated_store: bytes, examples: int
) -> None:
    offer_digest(publication, "weekly")
    DigestMachine.publication, DigestMachine.clock = publication, clock
    DigestMachine.blank = _migrated_store
    run_state_machine_as_test(
        DigestMachine,
        settings=settings(max_examples=examples, stateful_step_count=25, deadline=None),
    )
