"""Every mail at the relay has the items that the rule gives its reader, whatever was chosen and killed meanwhile."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
from collections import defaultdict
from pathlib import Path
from unittest.mock import patch

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.config.settings import load_settings
from upcycle_news.models import Choice, IssueId, RenderedIssue
from upcycle_news.models.variants import issue_of, number_of
from upcycle_news.services.delivery import send, worker_job
from upcycle_news.storage import issues, revisions, subscribers
from upcycle_news.storage.revisions import Revision

from ...delivery.memory_ledger import Clock
from ...fork_server import ForkedPython
from ...publications import Publication, approve_issue, create_publication, issue_status, parse_mail
from ..issues.topic_items import TOPICS, add_readers, choose, offer, publish, write_essay_with
from .kill_trial import ISSUE, status_of, trial_environment
from .sink_relay import Sink

READERS = 120


class ReadingSink(Sink):
    """Keeps which items were in each mail, by its reader."""

    def __init__(self) -> None:
        super().__init__()
        self.items: dict[str, list[set[str]]] = defaultdict(list)

    def take(self, recipient: str, message: bytes) -> None:
        part = parse_mail(message).get_body(("html",))
        assert part is not None
        found = set(re.findall(r"Meldung 1 aus (\w+)", part.get_content()))
        self.items[recipient.partition("@")[0]].append(found)
        super().take(recipient, message)


class Trial:
    """A publication whose readers go on choosing while its commands are killed."""

    def __init__(self, home: Path, store: str, seed: int) -> None:
        self.home, self.store = home, store
        self.chance = random.Random(seed)
        create_publication(home)
        publication = Publication(home, Clock())
        with patch.dict(os.environ, trial_environment(home, store, 1)), publication:
            offer(publication)
            sets = {f"leserin{number}": self._some_topics() for number in range(READERS)}
            self.readers = add_readers(publication, **sets)
            write_essay_with(publication, publish(publication.context()))

    def _some_topics(self) -> tuple[str, ...]:
        return tuple(topic for topic in TOPICS if self.chance.random() < 0.4)

    def context(self) -> AppContext:
        with patch.dict(os.environ, trial_environment(self.home, self.store, 1)):
            return AppContext(load_settings(self.home))

    def choices(self) -> dict[str, Choice]:
        """Return what each reader has chosen now."""
        with self.context() as context:
            return {
                one.email.address.partition("@")[0]: Choice(one.language, one.topics)
                for one in subscribers.all_subscribers(context.store)
            }

    def change_some(self) -> None:
        """Let a third of the readers choose anew."""
        with self.context() as context:
            for number in self.chance.sample(sorted(self.readers.values()), READERS // 3):
                choose(context, number, *self._some_topics())

    def is_queued(self) -> bool:
        with self.context() as context:
            row = issues.get(context.store, IssueId.parse(ISSUE))
            return row is not None and row.frozen

    def revision(self) -> Revision:
        with self.context() as context:
            found = revisions.load_revision(context.store, IssueId.parse(ISSUE))
            assert found is not None
            return found


def command(environment: dict[str, str], *arguments: str) -> subprocess.Popen[bytes]:
    return ForkedPython(
        [str(Path(sys.executable).parent / "upcycle-news"), "issue", *arguments],
        env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip


def kill(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def test_a_worker_reads_each_variant_once_as_deliveries_come_in_their_order(
    publication: Publication, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer(publication)
    add_readers(publication, **{f"leserin{n}": TOPICS[: n % 4] for n in range(12)})
    write_essay_with(publication, publish(publication.context()))
    loaded: list[int] = []
    load = revisions.StoredRenderings.load

    def counted(self: revisions.StoredRenderings, variant: int) -> RenderedIssue | None:
        loaded.append(variant)
        return load(self, variant)

    context = publication.context()
    issue, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    monkeypatch.setattr(revisions.StoredRenderings, "load", counted)
    monkeypatch.setattr(worker_job, "KEPT_TEMPLATES", 1)
    send.deliver_issue(context, issue)
    assert issue_status(context, issue).sent == 12
    assert [number for number in loaded if number] == [1, 2]


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_no_reader_gets_a_variant_that_was_not_approved_under_kills_and_changing_choices(
    any_store: str, tmp_path: Path
) -> None:
    trial = Trial(tmp_path / "home", any_store, seed=7)
    with ReadingSink() as sink:
        environment = {**os.environ, **trial_environment(trial.home, trial.store, sink.port, 4)}
        assert command(environment, "preview", ISSUE, "--no-open", "--no-collect").wait() == 0
        trial.change_some()
        assert command(environment, "approve", ISSUE).wait() == 0
        approved = trial.revision()
        assert approved.approved
        trial.change_some()
        chosen: dict[str, Choice] = {}
        points = sorted(trial.chance.sample(range(1, READERS), 2))
        for seconds in (0.8, 1.3):  # anywhere between starting and the first mails
            before = trial.choices()
            process = command(environment, "send", ISSUE, "--no-collect")
            sink.wait_for(READERS, seconds)
            kill(process)
            chosen = chosen or (before if trial.is_queued() else {})
            trial.change_some()
        for point in points:
            before = trial.choices()
            process = command(environment, "send", ISSUE, "--no-collect")
            while not sink.wait_for(point) and process.poll() is None:
                pass
            kill(process)
            chosen = chosen or (before if trial.is_queued() else {})
            trial.change_some()
        for _ in range(20):
            command(environment, "resume", ISSUE).wait()
            [status] = status_of(environment, "status")
            if status["closed"]:
                break
    revision = trial.revision()
    assert revision.revision_id == approved.revision_id == status["hash"]
    assert revision.approved
    content, variants = revision.manifest.issue, revision.manifest.variants
    assert len(variants.all) > 4
    assert status["closed"]
    assert status["audience"] == READERS == status["sent"] + status["unknown"]
    assert sum(one["audience"] for one in status["variants"]) == READERS
    assert sum(one["sent"] for one in status["variants"]) == status["sent"]
    wrong = []
    for name, mails in sink.items.items():
        number = number_of(content, variants, chosen[name])
        assert number is not None
        feeds = (one.story.lead.feed for one in issue_of(content, variants, number).related)
        expected = {feed.removeprefix("Blatt ") for feed in feeds}
        wrong += [name for found in mails if found != expected]
        assert len(mails) == 1
    assert wrong == []
    assert len(sink.items) >= status["sent"]
