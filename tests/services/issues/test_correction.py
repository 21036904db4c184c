"""A correction by mail: for those who got the issue, once each, with what the archive noted."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta

import pytest

from upcycle_news.app.context import AppContext
from upcycle_news.errors import IssueError, UpcycleError
from upcycle_news.models import DeliveryState, IssueId, IssueState
from upcycle_news.services.archive import corrections as archive
from upcycle_news.services.archive.build import build_archive
from upcycle_news.services.delivery import issue_control, send
from upcycle_news.services.delivery.manual_send import Approver, queue_issue
from upcycle_news.services.issues import approval, compose, ids
from upcycle_news.services.issues.correction import correction_id
from upcycle_news.services.issues.essay_filter import EssayFilter
from upcycle_news.services.issues.render import render_revision
from upcycle_news.services.reports.delivery_report import delivery_report
from upcycle_news.services.runs import admission, steps
from upcycle_news.services.runs.pending import pending_issues
from upcycle_news.storage import issues, revisions
from upcycle_news.transports.outcomes import RelayUnreachable

from ...delivery.memory_ledger import Clock
from ...publications import (
    Publication,
    add_confirmed_subscribers,
    approve_issue,
    issue_status,
    parse_mail,
    relay_variables,
    send_issue,
)
from ...waiting import wait_until
from ..delivery.failing_relay import FailingRelay

ISSUE, FIRST, SECOND = map(IssueId.parse, ("2026-11-26", "2026-11-26-c1", "2026-11-26-c2"))
ALWAYS = Approver("Anna", always=True)


@pytest.fixture
def relay() -> Iterator[FailingRelay]:
    with FailingRelay() as started:
        yield started


def rewrite(publication: Publication, old: str, new: str, slug: str = "bahnhof") -> None:
    (path,) = (publication.home / "content/essays").glob(f"*-{slug}.md")
    text = path.read_text("utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")


def sent(publication: Publication, readers: int = 3, **variables: str) -> AppContext:
    """Send an issue of two essays, and correct the first in the archive."""
    publication.write_essay("Bahnhof", topics="[Bauen]")
    publication.write_essay("Schule")
    context = publication.context(**variables)
    add_confirmed_subscribers(context, *(f"reader{n}@example.org" for n in range(1, readers + 1)))
    assert send_issue(context).sent == readers
    note(publication, context, "umgebaut", "abgerissen")
    return context


def note(publication: Publication, context: AppContext, old: str, new: str) -> None:
    rewrite(publication, old, new)
    archive.correct(context, "bahnhof", f"Er wird {new}, nicht {old}.", by="test")


def correct(context: AppContext, issue: IssueId = FIRST) -> None:
    """Compose, approve, queue and deliver a correction."""
    queue_issue(context, issue, approver=ALWAYS, collect=False)
    send.deliver_issue(context, issue)


def test_it_says_what_the_archive_says_and_is_marked_as_a_correction(
    publication: Publication, clock: Clock
) -> None:
    context = sent(publication)
    clock.now += timedelta(days=2)
    before = build_archive(context).issues
    correct(context, correction_id(context, ISSUE))
    mails = [parse_mail(mail) for mail in publication.mails()]
    assert len(mails) == 6
    for mail in mails[3:]:
        html = mail.get_body(("html",)).get_content()  # type: ignore[union-attr]
        text = mail.get_body(("plain",)).get_content()  # type: ignore[union-attr]
        assert mail["Subject"] == "Korrektur: Bahnhof"
        assert "Er wird abgerissen, nicht umgebaut." in html
        assert "wird abgerissen" in text
        assert "Schule" not in text
        assert "https://umbaupost.example.net/archive/2026-11-26/" in text
        assert "archive/2026-11-26-c1" not in html + text
        assert "In unserer Ausgabe vom 26." in html
        assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
        assert mail["Message-ID"].startswith("<2026-11-26-c1.")
    links = {mail["List-Unsubscribe"] for mail in mails}
    assert len(links) == 6  # each reader's, and for each issue
    status = issue_status(context, FIRST)
    assert (status.audience, status.sent, status.closed) == (3, 3, True)
    assert issue_status(context, ISSUE).sent == 3
    assert build_archive(context).issues == before
    assert "korrigiert Ausgabe 2026-11-26" in delivery_report(context, FIRST)


def test_it_goes_to_those_who_got_the_issue_and_are_still_there(publication: Publication) -> None:
    context = sent(publication, 4)
    add_confirmed_subscribers(context, "new@example.org")
    publication.run("subscribers", "unsubscribe", "reader1@example.org")
    publication.run("subscribers", "suppress", "reader2@example.org", "--reason", "manual")
    correct(context)
    assert Counter(publication.recipients()) == {
        "reader1@example.org": 1,
        "reader2@example.org": 1,
        "reader3@example.org": 2,
        "reader4@example.org": 2,
    }
    assert issue_status(context, FIRST).audience == 2


def test_topics_do_not_matter_to_whoever_got_the_issue(publication: Publication) -> None:
    context = sent(publication)
    publication.change_setting("[retry]", '[issue]\ntopics = ["Anderes"]\n\n[retry]')
    correct(publication.context())
    assert issue_status(context, FIRST).audience == 3


@pytest.mark.parametrize("times", [1, 2])
def test_nobody_gets_it_twice_however_often_it_is_sent(
    publication: Publication, times: int
) -> None:
    context = sent(publication)
    for _ in range(times + 1):
        correct(context)
    assert Counter(publication.recipients()).most_common(1)[0][1] == 2


def test_each_correction_tells_only_what_none_before_has_told(
    publication: Publication, clock: Clock
) -> None:
    context = sent(publication)
    assert correction_id(context, ISSUE) == FIRST
    with pytest.raises(IssueError, match="comes after 2026-11-26-c1"):
        compose.compose_manifest(context, SECOND)
    correct(context)
    assert correction_id(context, ISSUE) == SECOND == correction_id(context, FIRST)
    with pytest.raises(IssueError, match="do not know yet"):
        compose.compose_manifest(context, SECOND)
    clock.now += timedelta(days=2)
    note(publication, context, "abgerissen", "verkauft")
    told = compose.compose_manifest(context, SECOND).issue.told
    assert [one.note for one in told] == ["Er wird verkauft, nicht abgerissen."]
    text = render_revision(context, compose.compose_issue(context, SECOND)).content.text
    assert "Samstag, 28.\u00a0November 2026" in text  # in the place of the issue's day
    correct(context, SECOND)
    assert Counter(publication.recipients()) == {f"reader{n}@example.org": 3 for n in (1, 2, 3)}


def test_several_notes_and_essays_are_told_in_one_mail(publication: Publication) -> None:
    context = sent(publication)
    note(publication, context, "abgerissen", "verkauft")
    rewrite(publication, "umgebaut", "umgezogen", "schule")
    archive.correct(context, "schule", "Sie *zieht* um: <b>.", by="test")
    manifest = compose.compose_manifest(context, FIRST)
    assert [essay.slug for essay in manifest.issue.essays] == ["bahnhof", "schule"]
    rendered = render_revision(context, compose.compose_issue(context, FIRST))
    assert not rendered.errors
    assert "Sie *zieht* um: <b>." in rendered.content.text
    assert rendered.content.text.count("Er wird") == 2
    assert "wird verkauft" in rendered.content.text


def test_what_was_withdrawn_since_is_not_told(publication: Publication) -> None:
    context = sent(publication)
    archive.withdraw(context, "bahnhof", "", by="test")
    with pytest.raises(IssueError, match="do not know yet"):
        compose.compose_manifest(context, FIRST)
    archive.withdraw(context, str(ISSUE), "", by="test")
    with pytest.raises(IssueError, match="was withdrawn"):
        compose.compose_manifest(context, FIRST)


def test_there_is_none_of_an_issue_that_nobody_got(publication: Publication) -> None:
    publication.write_essay("Bahnhof")
    publication.add_many_subscribers(2)
    context = publication.context()
    with pytest.raises(IssueError, match="has not been sent yet"):
        compose.compose_manifest(context, FIRST)
    approve_issue(context)
    assert "noch nicht verschickt" in publication.run("issue", "correct", "2026-11-26", code=1).err


def test_an_issue_in_the_mailbox_needs_none_once_a_relay_is_set(
    publication: Publication, relay: FailingRelay
) -> None:
    sent(publication)
    context = publication.context(**relay_variables(relay.port))
    with pytest.raises(IssueError, match="lies in the embedded mailbox only"):
        queue_issue(context, FIRST, approver=ALWAYS, collect=False)
    assert not relay.accepted


def test_a_correction_that_lies_in_the_mailbox_never_goes_over_a_relay(
    publication: Publication, relay: FailingRelay
) -> None:
    correct(sent(publication))
    context = publication.context(**relay_variables(relay.port))
    assert pending_issues(context) == []
    with pytest.raises(IssueError, match="lies in the embedded mailbox only"):
        queue_issue(context, FIRST, approver=ALWAYS, collect=False)
    assert not relay.accepted


def test_while_the_issue_is_on_its_way_it_is_not_corrected(
    publication: Publication, relay: FailingRelay
) -> None:
    publication.write_essay("Bahnhof")
    publication.add_many_subscribers(6)
    context = publication.context(**relay_variables(relay.port))
    _, rendered = approve_issue(context)
    send.enqueue(context, rendered)
    note(publication, context, "umgebaut", "abgerissen")
    with pytest.raises(IssueError, match="nobody would get this correction"):
        queue_issue(context, FIRST, approver=ALWAYS, collect=False)
    relay.start(fall_after=2)
    with pytest.raises(RelayUnreachable):
        send.deliver_issue(context, ISSUE)
    with pytest.raises(IssueError, match="still on its way"):
        queue_issue(context, FIRST, approver=ALWAYS, collect=False)
    issue_control.cancel(context, ISSUE)
    relay.start()
    got = issue_status(context, ISSUE).sent
    correct(context)
    assert 0 < got == issue_status(context, FIRST).sent <= 2


def test_another_note_voids_its_approval(publication: Publication) -> None:
    context = sent(publication)
    rendered = render_revision(context, compose.compose_issue(context, FIRST))
    approval.approve(context, rendered, by="test")
    assert compose.edits_since(context, rendered.revision) == ()
    rewrite(publication, "abgerissen", "verkauft")  # the file alone changes nothing that was said
    assert compose.edits_since(context, rendered.revision) == ()
    archive.correct(context, "bahnhof", "Er wird verkauft.", by="test")
    with pytest.raises(IssueError, match="has changed since"):
        queue_issue(context, FIRST, collect=False)


def test_it_is_no_issue_of_the_day_and_uses_up_nothing(publication: Publication) -> None:
    context = sent(publication)
    compose.compose_issue(context, FIRST)
    assert ids.current_issue(context) == IssueId.parse("2026-11-26-2")
    correct(context)
    assert ids.current_issue(context) == IssueId.parse("2026-11-26-2")
    assert revisions.issues_by_essay(context.store)["bahnhof"] == ISSUE
    assert revisions.previous_issue(context.store, IssueId.parse("2026-12-03")) == (
        ISSUE,
        issue_status(context, ISSUE).revision_id,
    )


def test_an_old_approval_of_one_is_not_sent_by_itself(
    publication: Publication, clock: Clock
) -> None:
    context = sent(publication)
    publication.change_setting("[retry]", "[retry]\nmax_lateness_hours = 12\n")
    context = publication.context()
    clock.now += timedelta(days=5)
    rendered = render_revision(context, compose.compose_issue(context, FIRST))
    approval.approve(context, rendered, by="test")
    clock.now += timedelta(days=2)
    assert pending_issues(context, max_lateness_hours=12) == []
    with pytest.raises(IssueError, match="more than 12 hours late"):
        send.enqueue(context, rendered)
    clock.now -= timedelta(days=2)
    assert pending_issues(context, max_lateness_hours=12) == [str(FIRST)]


def test_a_run_of_prefect_takes_its_way(publication: Publication, clock: Clock) -> None:
    context = sent(publication)
    admitted = admission.admit_run(
        context, str(FIRST), planned_at=clock.now, run="run", max_lateness_hours=12
    )
    assert (admitted.issue, admitted.ended) == (str(FIRST), None)
    with pytest.raises(UpcycleError, match="decided by the archive"):
        steps.compose(context, FIRST, EssayFilter(essays=["schule"]), run="run")
    composed = steps.compose(context, FIRST, EssayFilter(), run="run")
    assert steps.render(context, FIRST, composed.revision_id).subject == "Korrektur: Bahnhof"
    assert steps.enqueue_once(context, FIRST, composed.revision_id, run="run", approve=True) == 3
    send.deliver_issue(context, FIRST)
    again = admission.admit_run(
        context, str(FIRST), planned_at=clock.now + timedelta(hours=1), run="2", max_lateness_hours=12
    )  # fmt: skip
    assert again.ended is not None
    assert again.ended.name == "AlreadySent"


def test_by_command(publication: Publication) -> None:
    publication.write_essay("Bahnhof")
    publication.add_many_subscribers(2)
    publication.run("issue", "send", "--yes", "--no-collect")
    issue = publication.run("issue", "status", "--json").json["issue"]
    assert "nicht wissen" in publication.run("issue", "correct", issue, "--no-open", code=1).err
    rewrite(publication, "umgebaut", "abgerissen")
    result = publication.run("archive", "correct", "bahnhof", "--note", "Er wird abgerissen.")
    assert "upcycle-news issue correct" in result.err
    result = publication.run("issue", "correct", issue, "--no-open")
    assert f"Ausgabe {issue}-c1" in result.out
    assert f"upcycle-news issue approve {issue}-c1" in result.err
    assert "nicht freigegeben" in publication.run("issue", "send", f"{issue}-c1", code=1).err
    publication.run("issue", "approve", f"{issue}-c1")
    publication.run("issue", "send", f"{issue}-c1")
    status = publication.run("issue", "status", f"{issue}-c1", "--json").json
    assert (status["audience"], status["sent"], status["closed"]) == (2, 2, True)


# --- kills, two senders, two relays


def test_a_failover_relay_takes_over_and_nobody_is_doubled(
    publication: Publication, relay: FailingRelay, clock: Clock
) -> None:
    with FailingRelay() as second:
        there = {
            **relay_variables(relay.port),
            "RELAYS__MAIN__FAILOVER": "second",
            **{name.replace("MAIN", "SECOND"): value for name, value in relay_variables(second.port).items()},
        }  # fmt: skip
        context = sent(publication, 6, **there)
        relay.start(fall_after=2)
        correct(context)
        relay.start()
        clock.now += timedelta(hours=1)  # what was deferred is due
        correct(context)
        status, accepted = issue_status(context, FIRST), relay.accepted + second.accepted
        assert max(accepted.values()) == 2
        missing = [who for who, count in accepted.items() if count < 2]
        assert len(missing) <= status.counts.get(DeliveryState.UNKNOWN, 0) <= 1
        assert (status.audience, status.closed) == (6, True)
        assert len(second.accepted) > 0


@pytest.mark.slow
def test_two_processes_that_send_it_at_once_send_each_mail_once(
    publication: Publication, relay: FailingRelay, any_store: str
) -> None:
    there = {**relay_variables(relay.port), "STORE": any_store}
    context = sent(publication, 60, **there)
    approval.approve(
        context,
        render_revision(context, compose.compose_issue(context, FIRST)),
        by="test",
    )
    both = [publication.start("issue", "send", str(FIRST), "--ahead", **there) for _ in range(2)]
    outputs = [process.communicate() for process in both]
    assert 0 in [process.returncode for process in both], outputs
    assert set(relay.accepted.values()) == {2}
    status = issue_status(context, FIRST)
    assert (status.audience, status.sent, status.closed) == (60, 60, True)


@pytest.mark.slow
@pytest.mark.timeout(300)
def test_kills_lose_nobody_and_double_nobody(
    publication: Publication, relay: FailingRelay, any_store: str
) -> None:
    there = {**relay_variables(relay.port), "STORE": any_store, "RETRY__UNKNOWN": "hold"}
    context = sent(publication, 200, **there)
    approval.approve(
        context, render_revision(context, compose.compose_issue(context, FIRST)), by="test"
    )
    slow = {**there, "RELAYS__MAIN__QUOTAS": '["100/s"]'}
    for point in (220, 280, 340):
        process = publication.start("issue", "send", str(FIRST), "--ahead", **slow)
        wait_until(
            lambda: sum(relay.accepted.values()) >= point or process.poll() is not None,  # noqa: B023
            "never that far",
            seconds=60,
        )
        process.send_signal(signal.SIGKILL)
        process.communicate()
    result = publication.run("issue", "send", str(FIRST), "--json", **there).json
    assert result["closed"]
    assert max(relay.accepted.values()) == 2
    missing = [who for who, count in relay.accepted.items() if count < 2]
    assert len(missing) <= result["unknown"] <= 3
    assert result["sent"] + result["unknown"] == result["audience"] == 200
    row = issues.get(context.store, FIRST)
    assert row is not None
    assert row.state is IssueState.CLOSED


def test_what_was_corrected_before_readers_got_the_issue_is_no_news_to_them(
    publication: Publication, relay: FailingRelay, clock: Clock
) -> None:
    sent(publication)  # into the mailbox, and corrected there
    clock.now += timedelta(hours=1)
    context = publication.context(**relay_variables(relay.port))
    queue_issue(context, ISSUE, approver=ALWAYS, collect=False)
    send.deliver_issue(context, ISSUE)
    assert sum(relay.accepted.values()) == 3
    with pytest.raises(IssueError, match="do not know yet"):
        compose.compose_manifest(context, FIRST)
    note(publication, context, "abgerissen", "verkauft")
    correct(context)
    assert set(relay.accepted.values()) == {2}
    [told] = compose.frozen_revision(context, FIRST).manifest.issue.told  # type: ignore[union-attr]
    assert told.note == "Er wird verkauft, nicht abgerissen."
